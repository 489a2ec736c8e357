//! Every request that the client can make, against a server that holds GitHub's published contract.
//!
//! `tests/github_contract.sh` starts that server, names it in `CELLGATE_GITHUB`, and reads from its
//! log whether every request was as GitHub describes it. Running jobs again is beyond that server;
//! `tests/act/run` does it.

use cellgate_github::append::Addition;
use cellgate_github::checks::{CheckOutput, CheckRunDraft};
use cellgate_github::comments::Reaction;
use cellgate_github::deployments::DeploymentState;
use cellgate_github::pace::Pace;
use cellgate_github::{Client, GitHubError};
use cellgate_inputs::secret::Secret;
use std::convert::Infallible;

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn every_request_keeps_the_published_contract() {
    let Ok(address) = std::env::var("CELLGATE_GITHUB") else {
        eprintln!("skipped: CELLGATE_GITHUB names no server; tests/github_contract.sh starts one");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (repository, token) = ("octo/toy".parse().unwrap(), Secret::new("ghs_full"));
        let limits = cellgate_github::pace::Limits::default();
        let client = Client::new(Some(&address), repository, token, Pace::real(), limits).unwrap();
        talk(&client).await.unwrap();
        reads(&client).await.unwrap();
        branches(&client).await.unwrap();
    });
}

/// Comments, checks, deployments, runs.
async fn talk(client: &Client) -> Result<(), GitHubError> {
    let comment = client.create_comment(7, "one").await?;
    let comment = client.update_comment(comment.id, "two").await?;
    assert!(client.comments(7).await?.iter().any(|one| one.id == comment.id));
    client.react(comment.id, Reaction::Eyes).await?;
    client.delete_comment(comment.id).await?;
    let head = client.pull(7).await?.head.sha;
    let draft = CheckRunDraft {
        name: "contract".to_owned(),
        head_sha: Some(head.clone()),
        external_id: "contract".to_owned(),
        status: "in_progress",
        conclusion: None,
        details_url: None,
        output: CheckOutput {
            title: "running".to_owned(),
            summary: "The gate is running.".to_owned(),
            annotations: Vec::new(),
        },
    };
    let run = client.create_check_run(&draft).await?;
    client.update_check_run(&run, &CheckRunDraft { head_sha: None, ..draft }).await?;
    assert_eq!(client.check_runs(&head, "contract").await?.len(), 1);
    let deployment = client.create_deployment(&head, "production", "a release").await?;
    for state in [
        DeploymentState::InProgress,
        DeploymentState::Success,
        DeploymentState::Failure,
        DeploymentState::Error,
    ] {
        client.set_deployment_state(deployment.id, state, "a word", None).await?;
    }
    Ok(())
}

/// Pull requests, people, runs, files.
async fn reads(client: &Client) -> Result<(), GitHubError> {
    // A workflow's token may not ask this; a person's may.
    let _ = client.login().await;
    let pull = client.pull(7).await?;
    assert_eq!(client.pulls_of_commit(&pull.head.sha).await?.len(), 1);
    assert!(client.open_pulls().await?.iter().any(|one| one.number == 7));
    client.open_pulls_of("octo", "feature/x").await?;
    client.reviews(7).await?;
    client.role("alice").await?;
    client.run(987).await?;
    client.runs_of(&pull.head.sha).await?;
    client.artifacts(987, "cellgate-gate-report").await?;
    assert!(client.file_at("nowhere.txt", "main", 1000).await?.is_none());
    client.is_ancestor(&pull.head.sha, &pull.head.sha).await?;
    Ok(())
}

/// A branch that is made, then added to.
async fn branches(client: &Client) -> Result<(), GitHubError> {
    for line in ["one\n", "two\n"] {
        let addition = Addition { branch: "cellgate-approvals", path: "a.jsonl", message: "add" };
        let grown = |bytes: &[u8]| Ok::<_, Infallible>([bytes, line.as_bytes()].concat());
        client.append_to_branch(addition, grown).await.unwrap();
    }
    let tip = client.branch("cellgate-approvals").await?.unwrap();
    assert_eq!(client.file_at("a.jsonl", &tip, 1000).await?.unwrap(), b"one\ntwo\n");
    let blob = client.create_blob(b"a picture").await?;
    let over = client.tree_of(&tip).await?;
    let tree = client.create_tree(Some(&over), &[("p.png".to_owned(), blob)]).await?;
    let commit = client.create_commit("a picture", &tree, &[&tip]).await?;
    client.advance_branch("cellgate-approvals", &commit).await?;
    client.create_branch("cellgate-assets", &commit).await
}
