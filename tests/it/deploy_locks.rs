//! The lock of a server: who has it, who waits, and who loses it.

use crate::deploy::{id, status_of, with_releases};
use crate::deploy_rig::{Server, Studio, block_on, options};
use cellgate_deploy::Ended;
use cellgate_deploy::session::{Options, Session};
use cellgate_deploy::whole::deploy;
use cellgate_deploy::wire::RefusalCode;
use std::time::Duration;

#[test]
fn of_eight_deploys_at_once_one_wins_and_the_others_are_told_who() {
    let mut studio = Studio::new();
    let (server, _) = with_releases(&mut studio, &[1]);
    let packages: Vec<_> = (2..10).map(|number| studio.package(number)).collect();
    let results: Vec<_> = std::thread::scope(|scope| {
        let deploys = packages.iter().map(|package| {
            let server = &server;
            scope.spawn(move || {
                let key = format!("deploy-{}", package.release().sequence);
                block_on(deploy(&server.agent(&[]), package, &Options { keep: 9, ..options(&key) }))
            })
        });
        let deploys: Vec<_> = deploys.collect();
        deploys.into_iter().map(|deploy| deploy.join().unwrap()).collect()
    });
    let winners: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(
        server.pointer_target("current"),
        winners.last().map(|deployed| deployed.release).or(server.pointer_target("current"))
    );
    assert!(!winners.is_empty(), "nobody won");
    for failure in results.iter().filter_map(|result| result.as_ref().err()) {
        // One that comes when a later release is confirmed already is refused as older.
        use RefusalCode::{Locked, Moved, Pending, Replayed};
        assert_eq!(failure.ended, Ended::Refused, "{failure}");
        assert!(
            [Locked, Moved, Pending, Replayed].map(Some).contains(&failure.refusal),
            "{failure}"
        );
    }
    let status = status_of(&server);
    assert!(status.pending.is_none() && status.good.len() == 1 + winners.len());
}

#[test]
fn a_stalled_holder_of_the_lock_is_ended_and_writes_nothing_late() {
    let mut studio = Studio::new();
    let (server, packages) = with_releases(&mut studio, &[1]);
    let (second, third) = (studio.package(2), studio.package(3));
    let stalled = server.agent(&["--fault", "stage-link:stop"]);
    let agent = server.agent(&["--lease-ms", "300"]);
    block_on(async {
        let mut first = Session::open(&stalled, options("first")).await.unwrap();
        let base = Some(id(&packages[0]));
        let staging = first.prepare(&second, base);
        let waiting = Options { lock_wait: Duration::from_secs(5), ..options("second") };
        let (result, won) = tokio::join!(staging, async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            deploy(&agent, &third, &waiting).await
        });
        assert_eq!(won.unwrap().release, id(&third));
        assert!(result.unwrap_err().is_transient(), "the stalled agent goes on");
    });
    assert_eq!(server.pointer_target("current"), Some(id(&third)));
}

#[test]
fn a_client_that_is_silent_loses_the_lock() {
    let mut studio = Studio::new();
    let server = Server::new();
    let (first, second) = (studio.package(1), studio.package(2));
    let agent = server.agent(&["--silence-ms", "200"]);
    block_on(async {
        let mut session = Session::open(&agent, options("silent")).await.unwrap();
        session.prepare(&first, None).await.unwrap();
        // The session holds its connection, and says nothing for ten seconds.
        let waiting = Options { lock_wait: Duration::from_secs(5), ..options("other") };
        let result = deploy(&server.agent(&[]), &second, &waiting).await;
        assert_eq!(result.unwrap().release, id(&second));
    });
}

#[test]
fn the_same_deploy_takes_the_place_of_its_own_stalled_attempt() {
    let mut studio = Studio::new();
    let server = Server::new();
    let package = studio.package(1);
    let stalled = server.agent(&["--fault", "stage-link:stop"]);
    let agent = server.agent(&[]);
    block_on(async {
        let mut first = Session::open(&stalled, options("same")).await.unwrap();
        let (result, won) = tokio::join!(first.prepare(&package, None), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            deploy(&agent, &package, &options("same")).await
        });
        assert_eq!(won.unwrap().release, id(&package));
        assert!(result.is_err());
    });
}
