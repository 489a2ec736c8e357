//! Routes: the state of the server's GitHub and its answers.

use super::server::{Fault, Kind, Seen};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cellgate_core::digest::Digest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The repository.
const BELOW: &str = "/repos/octo/toy";

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn refusal(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"message": message, "documentation_url": "https://docs"}))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 204 {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        [format!("{text}\r\n").into_bytes(), self.body.clone()].concat()
    }
}

/// State of GitHub.
pub(crate) struct State {
    pub(crate) address: String,
    /// Who the token speaks for.
    pub(crate) login: String,
    pub(crate) comments: Vec<Value>,
    pub(crate) checks: Vec<Value>,
    pub(crate) pulls: Vec<Value>,
    /// Workflow runs, the newest first.
    pub(crate) runs: Vec<Value>,
    /// Permissions of people, by login; all others may read.
    pub(crate) roles: BTreeMap<String, String>,
    pub(crate) branches: BTreeMap<String, String>,
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) trees: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) commits: BTreeMap<String, (String, Vec<String>)>,
    /// Artifacts by id: name and bytes.
    pub(crate) artifacts: BTreeMap<u64, (String, Vec<u8>)>,
    /// Entries of a page, which may be fewer than are asked for.
    pub(crate) page_size: usize,
    /// Whether commits of forks are connected with their pull requests.
    pub(crate) knows_commits: bool,
    pub(crate) max_comment: usize,
    pub(crate) faults: Vec<Fault>,
    pub(crate) seen: Vec<Seen>,
    n_made: u64,
}

impl State {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            login: "github-actions[bot]".to_owned(),
            comments: Vec::new(),
            checks: Vec::new(),
            pulls: Vec::new(),
            runs: Vec::new(),
            roles: BTreeMap::new(),
            branches: BTreeMap::new(),
            blobs: BTreeMap::new(),
            trees: BTreeMap::new(),
            commits: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            page_size: 100,
            knows_commits: true,
            max_comment: 65_536,
            faults: Vec::new(),
            seen: Vec::new(),
            n_made: 0,
        }
    }

    pub(crate) fn take_fault(&mut self, seen: &Seen) -> Option<Kind> {
        let fits = |f: &Fault| {
            (f.method == seen.method || f.method.is_empty()) && seen.path.contains(f.path)
        };
        let fault = self.faults.iter_mut().find(|fault| fits(fault) && 0 < fault.times)?;
        if 0 < fault.skip {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        Some(fault.kind.clone())
    }

    fn id(&mut self) -> u64 {
        self.n_made += 1;
        1000 + self.n_made
    }

    pub(crate) fn comment(&mut self, login: &str, body: &str) -> u64 {
        let id = self.id();
        let page = format!("https://github.com/octo/toy/pull/7#issuecomment-{id}");
        let user = json!({"login": login});
        self.comments.push(json!({"id": id, "body": body, "user": user, "html_url": page}));
        id
    }

    pub(crate) fn pull(&mut self, number: u64, head_sha: &str, head_repository: &str) {
        let head = json!({"sha": head_sha, "ref": "x", "repo": {"full_name": head_repository}});
        let base = json!({"sha": "b".repeat(40), "ref": "main", "repo": {"full_name": "octo/toy"}});
        let user = json!({"login": "alice"});
        let pull =
            json!({"number": number, "state": "open", "user": user, "head": head, "base": base});
        self.pulls.push(pull);
    }

    /// A file on a branch, as git holds it.
    pub(crate) fn file(&self, branch: &str, path: &str) -> Option<&[u8]> {
        let (tree, _) = &self.commits[self.branches.get(branch)?];
        self.blobs.get(self.trees[tree].get(path)?).map(Vec::as_slice)
    }

    fn is_ancestor(&self, sha: &str, of: &str) -> bool {
        sha == of || self.commits[of].1.iter().any(|parent| self.is_ancestor(sha, parent))
    }
}

/// Forty digits that name some bytes.
pub(crate) fn name_of(bytes: &[u8]) -> String {
    Digest::of_bytes(bytes).to_string()[..40].to_owned()
}

/// Does what a request asks for.
pub(crate) fn answer(state: &mut State, seen: &Seen) -> Reply {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    if let Some(id) = path.strip_prefix("/store/") {
        let id: u64 = id.parse().unwrap();
        return Reply { body: state.artifacts[&id].1.clone(), ..Reply::empty(200) };
    }
    if path == "/user" {
        return match state.login.as_str() {
            bot if bot.ends_with("[bot]") => {
                Reply::refusal(403, "Resource not accessible by integration")
            }
            login => Reply::json(200, &json!({"login": login})),
        };
    }
    let Some(below) = path.strip_prefix(BELOW) else { return Reply::refusal(404, "Not Found") };
    let parts: Vec<&str> = below.trim_start_matches('/').split('/').collect();
    match (seen.method.as_str(), parts.as_slice()) {
        ("GET", ["issues", _, "comments"]) => {
            page(state, seen, query, &state.comments.clone(), None)
        }
        ("GET", ["pulls"]) => page(state, seen, query, &state.pulls.clone(), None),
        ("GET", ["pulls", number]) => find_reply(&state.pulls, "number", number),
        ("GET", ["commits", sha, "pulls"]) => {
            let is_of = |pull: &&Value| state.knows_commits && contains(pull, sha);
            let pulls: Vec<Value> = state.pulls.iter().filter(is_of).cloned().collect();
            page(state, seen, query, &pulls, None)
        }
        ("GET", ["commits", sha, "check-runs"]) => {
            let is_of = |run: &&Value| run["head_sha"] == **sha;
            let runs: Vec<Value> = state.checks.iter().filter(is_of).cloned().collect();
            page(state, seen, query, &runs, Some("check_runs"))
        }
        ("GET", ["check-runs", id]) => find_reply(&state.checks, "id", id),
        ("GET", ["collaborators", login, "permission"]) => {
            let role = state.roles.get(*login).map_or("read", String::as_str);
            // The older key knows fewer words.
            let old = if role == "maintain" { "write" } else { role };
            Reply::json(200, &json!({"permission": old, "role_name": role}))
        }
        ("GET", ["actions", "runs"]) => {
            let is_of = |run: &&Value| query.contains(run["head_sha"].as_str().unwrap());
            let runs: Vec<Value> = state.runs.iter().filter(is_of).cloned().collect();
            page(state, seen, query, &runs, Some("workflow_runs"))
        }
        ("GET", ["actions", "runs", id]) => find_reply(&state.runs, "id", id),
        ("POST", ["actions", "runs", _, "rerun" | "rerun-failed-jobs"]) => {
            Reply::json(201, &json!({}))
        }
        ("GET", ["actions", "runs", _, "artifacts"]) => artifacts(state, query),
        ("GET", ["actions", "artifacts", id, "zip"]) => {
            let store = state.address.replace("127.0.0.1", "localhost");
            Reply::empty(302).header("location", &format!("{store}/store/{id}"))
        }
        (_, ["issues", ..]) => comments(state, seen, &parts),
        (_, ["check-runs", ..]) => check_runs(state, seen, &parts),
        (_, ["git", ..] | ["contents", ..] | ["compare", ..]) => git(state, seen, &parts, query),
        _ => Reply::refusal(404, &format!("{} {below} is not played here", seen.method)),
    }
}

fn contains(pull: &Value, sha: &str) -> bool {
    let earlier = pull["earlier"].as_array();
    pull["head"]["sha"] == sha || earlier.is_some_and(|list| list.iter().any(|one| one == sha))
}

fn find_reply(list: &[Value], key: &str, id: &str) -> Reply {
    let one = list.iter().find(|one| one[key].as_u64() == id.parse().ok());
    one.map_or_else(|| Reply::refusal(404, "Not Found"), |one| Reply::json(200, one))
}

/// A page of a list, with a link to the next that goes by the repository's number.
fn page(state: &State, seen: &Seen, query: &str, list: &[Value], key: Option<&str>) -> Reply {
    let number = |name: &str| {
        let value = query.split('&').find_map(|one| one.strip_prefix(name));
        value.and_then(|value| value.parse::<usize>().ok())
    };
    let (size, at) = (number("per_page=").unwrap_or(30), number("page=").unwrap_or(1));
    let size = size.min(state.page_size);
    let entries: Vec<Value> = list.iter().skip((at - 1) * size).take(size).cloned().collect();
    let body = match key {
        Some(key) => json!({"total_count": list.len(), key: entries}),
        None => Value::Array(entries),
    };
    let reply = Reply::json(200, &body);
    if list.len() <= at * size {
        return reply;
    }
    let path = seen.path.split('?').next().unwrap();
    let next = format!("{}{path}?per_page={size}&page={}", state.address, at + 1);
    let link = format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\"");
    reply.header("link", &link)
}

fn artifacts(state: &State, query: &str) -> Reply {
    let name = query.split('&').find_map(|one| one.strip_prefix("name=")).unwrap_or_default();
    let of_name = state.artifacts.iter().filter(|(_, (known, _))| known == name);
    let entry = |(id, (name, bytes)): (&u64, &(String, Vec<u8>))| {
        let digest = format!("sha256:{}", Digest::of_bytes(bytes));
        json!({"id": id, "name": name, "size_in_bytes": bytes.len(), "expired": false, "digest": digest})
    };
    let entries: Vec<Value> = of_name.map(entry).collect();
    Reply::json(200, &json!({"total_count": entries.len(), "artifacts": entries}))
}

fn comments(state: &mut State, seen: &Seen, parts: &[&str]) -> Reply {
    let body = seen.body["body"].as_str().unwrap_or_default();
    if state.max_comment < body.len() {
        return Reply::refusal(422, "Validation Failed: body is too long");
    }
    match (seen.method.as_str(), parts) {
        ("POST", ["issues", _, "comments"]) => {
            let login = state.login.clone();
            let id = state.comment(&login, body);
            Reply::json(201, state.comments.iter().find(|one| one["id"] == id).unwrap())
        }
        ("POST", [.., "reactions"]) => Reply::json(201, &json!({"id": 1})),
        (method, ["issues", "comments", id]) => {
            let at = state.comments.iter().position(|one| one["id"].as_u64() == id.parse().ok());
            match at {
                None => Reply::refusal(404, "Not Found"),
                Some(at) if method == "DELETE" => {
                    state.comments.remove(at);
                    Reply::empty(204)
                }
                Some(at) => {
                    state.comments[at]["body"] = json!(body);
                    Reply::json(200, &state.comments[at])
                }
            }
        }
        _ => Reply::refusal(404, "Not Found"),
    }
}

fn check_runs(state: &mut State, seen: &Seen, parts: &[&str]) -> Reply {
    let body = &seen.body;
    let annotations = body["output"]["annotations"].as_array().cloned().unwrap_or_default();
    if annotations.len() > 50 {
        return Reply::refusal(422, "Validation Failed: at most 50 annotations");
    }
    let at = match parts {
        ["check-runs"] => {
            let id = state.id();
            state.checks.push(json!({
                "id": id, "annotations": [], "conclusion": null, "external_id": null,
                "app": {"slug": "github-actions"}, "output": {"annotations_count": 0},
            }));
            state.checks.len() - 1
        }
        [_, id] => {
            let found = state.checks.iter().position(|one| one["id"].as_u64() == id.parse().ok());
            match found {
                Some(at) => at,
                None => return Reply::refusal(404, "Not Found"),
            }
        }
        _ => return Reply::refusal(404, "Not Found"),
    };
    let run = &mut state.checks[at];
    for key in ["name", "head_sha", "external_id", "status", "conclusion", "details_url"] {
        if let Some(value) = body.get(key) {
            run[key] = value.clone();
        }
    }
    run["annotations"].as_array_mut().unwrap().extend(annotations);
    let count = run["annotations"].as_array().unwrap().len();
    run["output"] = json!({"title": body["output"]["title"], "summary": body["output"]["summary"],
        "annotations_count": count});
    Reply::json(if parts.len() == 1 { 201 } else { 200 }, run)
}

fn git(state: &mut State, seen: &Seen, parts: &[&str], query: &str) -> Reply {
    let body = &seen.body;
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let created = |sha: &str| Reply::json(201, &json!({"sha": sha}));
    let reference = |sha: &str| Reply::json(200, &json!({"object": {"sha": sha}}));
    match (seen.method.as_str(), parts) {
        ("GET", ["git", "ref", "heads", name]) => match state.branches.get(*name) {
            Some(sha) => reference(sha),
            None => Reply::refusal(404, "Not Found"),
        },
        ("POST", ["git", "refs"]) => {
            let name = text("ref").trim_start_matches("refs/heads/").to_owned();
            if state.branches.contains_key(&name) {
                return Reply::refusal(422, "Reference already exists");
            }
            state.branches.insert(name, text("sha"));
            reference(&text("sha"))
        }
        ("PATCH", ["git", "refs", "heads", name]) => {
            let tip = state.branches[*name].clone();
            if body["force"] != false || !state.is_ancestor(&tip, &text("sha")) {
                return Reply::refusal(422, "Update is not a fast forward");
            }
            state.branches.insert((*name).to_owned(), text("sha"));
            reference(&text("sha"))
        }
        ("POST", ["git", "blobs"]) => {
            let bytes = BASE64_STANDARD.decode(text("content")).unwrap();
            let name = name_of(&bytes);
            state.blobs.insert(name.clone(), bytes);
            created(&name)
        }
        ("POST", ["git", "trees"]) => {
            let mut tree = state.trees.get(&text("base_tree")).cloned().unwrap_or_default();
            for file in body["tree"].as_array().unwrap() {
                let of = |key: &str| file[key].as_str().unwrap().to_owned();
                tree.insert(of("path"), of("sha"));
            }
            let name = name_of(format!("{tree:?}").as_bytes());
            state.trees.insert(name.clone(), tree);
            created(&name)
        }
        ("POST", ["git", "commits"]) => {
            let parents: Vec<String> = serde_json::from_value(body["parents"].clone()).unwrap();
            let name = name_of(format!("{}{body}", state.id()).as_bytes());
            state.commits.insert(name.clone(), (text("tree"), parents));
            created(&name)
        }
        ("GET", ["git", "commits", sha]) => match state.commits.get(*sha) {
            Some((tree, _)) => Reply::json(200, &json!({"sha": sha, "tree": {"sha": tree}})),
            None => Reply::refusal(404, "Not Found"),
        },
        ("GET", ["compare", span]) => {
            let (base, head) = span.split_once("...").unwrap();
            let status = if state.is_ancestor(base, head) { "ahead" } else { "diverged" };
            Reply::json(200, &json!({"status": status}))
        }
        ("GET", ["contents", path @ ..]) => {
            let sha = query.trim_start_matches("ref=");
            let tree = state.commits.get(sha).and_then(|(tree, _)| state.trees.get(tree));
            match tree.and_then(|tree| state.blobs.get(tree.get(&path.join("/"))?)) {
                Some(bytes) => Reply { body: bytes.clone(), ..Reply::empty(200) }
                    .header("content-type", "application/vnd.github.raw+json; charset=utf-8"),
                None => Reply::refusal(404, "Not Found"),
            }
        }
        _ => Reply::refusal(404, "Not Found"),
    }
}
