"""What a workflow run stands in: a repository, an event, releases, GitHub's API, and act.

Takes the bench's folder and a built cellgate. Workflows run as they are shipped, but for what
act does not know: `cache-mode` and `deployment: false` are left out, and `$/` is written out as the
repository and the tag that callers name. Nothing leaves the machine.
"""
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

OWN = Path(__file__).resolve().parents[2]
REPOSITORY = "octo/lab"
NUMBER = 7
RUN_ID = 987
OLDER = re.compile(r"^ *(cache-mode: .*|deployment: false)\n", re.M)
PINNED = re.compile(r"uses: (actions/([\w-]+))(?:/[\w-]+)?@([0-9a-f]{40})")


def git(folder: Path, *arguments: str) -> str:
    """What git says, without the settings of whoever runs this."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@localhost"}
    done = subprocess.run(["git", "-C", folder, *arguments], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass
class Repository:
    """A repository with a pull request, checked out at its merge commit as GitHub does it."""

    folder: Path
    bare: Path
    is_fork: bool = False
    shas: dict = field(default_factory=dict)

    @classmethod
    def make(cls, world: "World", kind: str, is_fork: bool = False) -> "Repository":
        folder, bare = world.fresh("lab"), world.work / "github" / REPOSITORY
        shutil.rmtree(bare, ignore_errors=True)
        subprocess.run([OWN / "tests/act/example", kind, folder], check=True)
        made = cls(folder, bare, is_fork)
        head_tree = git(folder, "rev-parse", "HEAD^{tree}")
        git(folder, "reset", "-q", "--hard", "HEAD~1")
        shutil.copytree(OWN / "workflows", folder / ".github/workflows")
        for file in (folder / ".github/workflows").iterdir():
            file.write_text(OLDER.sub("", file.read_text()))
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", "Gate changes of parameters")
        made.shas["base"] = git(folder, "rev-parse", "HEAD")
        git(folder, "checkout", "-q", "-b", "change")
        git(folder, "checkout", head_tree, "--", ".")
        git(folder, "commit", "-qm", f"A change: {kind}")
        made.shas["head"] = git(folder, "rev-parse", "HEAD")
        git(folder, "checkout", "-q", "-B", "merged", "main")
        git(folder, "merge", "-q", "--no-ff", "-m", "Merge", "change")
        made.shas["merge"] = git(folder, "rev-parse", "HEAD")
        git(folder, "remote", "add", "origin", f"https://github.com/{REPOSITORY}")
        bare.parent.mkdir(parents=True, exist_ok=True)
        git(folder, "clone", "-q", "--bare", ".", str(bare))
        git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(bare, "update-ref", f"refs/pull/{NUMBER}/merge", made.shas["merge"])
        git(bare, "update-ref", f"refs/pull/{NUMBER}/head", made.shas["head"])
        git(bare, "branch", "-D", "merged")
        if is_fork:
            git(bare, "branch", "-D", "change")
        return made

    def seed(self, permissions: dict, artifacts: dict, **more: object) -> dict:
        """What GitHub knows: the repository, the pull request, the gate's run and what it left."""
        pull = {"number": NUMBER, "title": "A change", "head": "change", "base": "main", "user": "alice"}
        if self.is_fork:
            pull |= {"user": "mallory", "head_repo": "mallory/lab"}
        run = {
            "id": RUN_ID, "name": "cellgate", "event": "pull_request", "path": ".github/workflows/gate.yml",
            "head_sha": self.shas["head"], "head_branch": "change", "status": "completed", "conclusion": "failure",
        }  # fmt: skip
        left = [{"name": name, "run_id": RUN_ID, "files": files} for name, files in artifacts.items()]
        people = {"octo": "admin", "alice": "write", "mallory": "read"}
        known = {"git": str(self.bare), "default_branch": "main", "collaborators": people, "pulls": [pull]}
        known |= {"runs": [run], "artifacts": left, **more}
        token = {"kind": "installation", "permissions": permissions}
        return {"repos": {REPOSITORY: known}, "tokens": {"ghs_job": token}}

    def description(self) -> dict:
        owner, name = REPOSITORY.split("/")
        return {
            "id": 1, "name": name, "full_name": REPOSITORY, "default_branch": "main", "private": False, "fork": False,
            "owner": {"login": owner}, "html_url": f"https://github.com/{REPOSITORY}",
        }  # fmt: skip

    def head_description(self) -> dict:
        if not self.is_fork:
            return self.description()
        return {**self.description(), "id": 2, "full_name": "mallory/lab", "owner": {"login": "mallory"}, "fork": True}

    def pull_request(self) -> dict:
        author = "mallory" if self.is_fork else "alice"
        return {
            "number": NUMBER, "state": "open", "title": "::error::owned $(touch owned)", "user": {"login": author},
            "head": {"ref": "change", "sha": self.shas["head"], "repo": self.head_description()},
            "base": {"ref": "main", "sha": self.shas["base"], "repo": self.description()},
        }  # fmt: skip

    def event(self, name: str, **details: object) -> dict:
        """The payload that GitHub sends, as far as it is read."""
        sender = {"login": "mallory" if self.is_fork else "alice"}
        event = {"repository": self.description(), "sender": sender}
        if name == "pull_request":
            event |= {"action": "synchronize", "number": NUMBER, "pull_request": self.pull_request()}
        elif name == "push":
            event |= {"ref": "refs/heads/main", "before": self.shas["base"], "after": self.shas["merge"]}
        elif name == "merge_group":
            group = {"head_sha": self.shas["merge"], "base_sha": self.shas["base"], "base_ref": "refs/heads/main"}
            event |= {"action": "checks_requested", "merge_group": group}
        elif name == "workflow_run":
            run = {
                "id": RUN_ID, "name": "cellgate", "event": "pull_request", "head_branch": "change", "run_attempt": 1,
                "head_sha": self.shas["head"], "status": "completed", "conclusion": "success", "pull_requests": [],
                "head_repository": self.head_description(), "repository": self.description(), "actor": sender,
                "html_url": f"https://github.com/{REPOSITORY}/actions/runs/{RUN_ID}", "workflow_id": 1,
            }  # fmt: skip
            event |= {"action": "completed", "workflow_run": {**run, **details.get("run", {})}}
            event |= {key: value for key, value in details.items() if key != "run"}
        elif name == "workflow_dispatch":
            event |= {"ref": "refs/heads/main", "inputs": {}}
        elif name == "issue_comment":
            url = f"https://api.github.com/repos/{REPOSITORY}/pulls/{NUMBER}"
            issue = {"number": NUMBER, "state": "open", "user": sender, "pull_request": {"url": url}}
            event |= {"action": "created", "issue": issue, "comment": {"id": 1, **details["comment"]}}
        return event


# The one operation that cellgate needs and the bench's API does not know.
RERUN = """

@op("actions/re-run-workflow-failed-jobs")
def rerun_failed_jobs(c):
    run = get(c.repo.runs, c.p["run_id"])
    run.update(status="queued", conclusion=None, run_attempt=run.get("run_attempt", 1) + 1)
    return 201, {}
"""


@dataclass
class Api:
    """GitHub's API while it runs."""

    address: str
    folder: Path

    def get(self, path: str) -> object:
        request = urllib.request.Request(self.address + path)
        request.add_header("Authorization", "Bearer ghs_full")
        request.add_header("User-Agent", "test")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def of(self, path: str) -> object:
        return self.get(f"/repos/{REPOSITORY}{path}")

    def misuse(self) -> str:
        """What the requests so far broke of the contract; empty when nothing."""
        command = [sys.executable, self.folder / "server.py", "report", self.folder / "requests.jsonl"]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout + done.stderr if done.returncode else ""


@dataclass
class Outcome:
    """How a run ended: jobs by name, act's log, and what each step printed, in no order."""

    code: int
    jobs: dict
    log: str
    said: list
    seconds: float


class World:
    """Everything around a run, in one folder."""

    def __init__(self, bench: Path, binary: Path, work: Path) -> None:
        self.binary = binary
        self.bench, self.work = bench, work
        self.action, self.tools, self.n_fresh, self.maps = work / "action", work / "tools", 0, []
        self.shell, self.said = work / "shell", work / "said"
        for folder in (work / "home", self.tools, self.shell):
            folder.mkdir()
        shutil.copy(OWN / "tests/act/gh", self.tools)
        shutil.copy(OWN / "tests/act/bash", self.shell)
        self._action(binary)
        self._stand_ins()

    def fresh(self, name: str) -> Path:
        self.n_fresh += 1
        return self.work / f"{name}-{self.n_fresh}"

    def _action(self, binary: Path) -> None:
        """The action at a commit with a release, whose one file is the binary that was built."""
        shutil.copytree(OWN / ".github", self.action / ".github")
        for name in ("action.yml", "src/demo/fluorescence.yaml", "src/demo/tolerances.yaml", "tests/act/example"):
            (self.action / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(OWN / name, self.action / name)
        version = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
        self.tag = f"v{version}"
        for file in self.action.rglob("*.yml"):
            text = OLDER.sub("", file.read_text())
            file.write_text(re.sub(r"uses: \$/(\S+)", rf"uses: cellgate/cellgate/\1@{self.tag}", text))
        name = f"cellgate-{self.tag}-x86_64-unknown-linux-musl"
        (self.work / "home/files").mkdir()
        shutil.copy(binary, self.work / "home/files" / name)
        digest = hashlib.sha256(binary.read_bytes()).hexdigest()
        lines = f"version {version}\nsha256 x86_64-unknown-linux-musl {digest}\n"
        (self.action / ".github/actions/install/release.txt").write_text(lines)
        self.maps.append(f"cellgate/cellgate@{self.tag}={self.action}")

    def _stand_ins(self) -> None:
        act = self.work / "act"
        act.mkdir()
        shutil.copy(self.bench / "act/act_bench.py", act)
        own = OWN / "tests/act/standins.py"
        subprocess.run([sys.executable, own, self.bench, act / "standins", self.work / "mirrors"], check=True)
        pins = {found for file in self.action.rglob("*.yml") for found in PINNED.findall(file.read_text())}
        for action, name, sha in sorted(pins):
            self.maps.append(f"{action}@{sha}={act / 'standins' / name}")

    @contextlib.contextmanager
    def releases(self):
        """The server of releases, for curl in the steps."""
        home = self.work / "home"
        (home / "mode").write_text("fine")
        server = subprocess.Popen([sys.executable, OWN / "tests/act/releases.py", home])
        try:
            wait_for(home / "port")
            yield
        finally:
            server.terminate()
            server.wait()

    def permissions(self, workflow: str) -> dict:
        """What the one job of a reusable workflow that has rights may do, as its file says."""
        text = (self.action / ".github/workflows" / workflow).read_text()
        granted = re.findall(r"^      ([a-z-]+): (read|write)(?: #.*)?$", text, re.M)
        return {name.replace("-", "_"): level for name, level in granted}

    @contextlib.contextmanager
    def api(self, seed: dict):
        """GitHub's API over a repository, strict in what it takes; nothing of it may be misused."""
        folder = self.fresh("api")
        shutil.copytree(self.bench / "fake_github", folder)
        with open(folder / "api.py", "a") as api:
            api.write(RERUN)
        (folder / "seed.json").write_text(json.dumps(seed))
        command = [sys.executable, folder / "server.py", "--port", "0", "--port-file", folder / "port"]
        command += ["--seed", folder / "seed.json", "--log", folder / "requests.jsonl"]
        with open(folder / "said", "w") as said:
            server = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            wait_for(folder / "port")
            yield Api(f"http://127.0.0.1:{(folder / 'port').read_text().strip()}", folder)
        finally:
            server.terminate()
            server.wait()

    def run(self, repository: Path, name: str, event: dict, workflow: str, api: str = "", secrets: dict = {}, flags: tuple = ()) -> Outcome:
        """Runs one workflow of a repository for an event, until all its jobs have ended."""
        file = self.fresh("event")
        file.write_text(json.dumps(event))
        shutil.rmtree(self.work / "artifacts", ignore_errors=True)
        (self.work / f"artifacts/{RUN_ID}").mkdir(parents=True)
        shutil.rmtree(self.said, ignore_errors=True)
        self.said.mkdir()
        command = [sys.executable, self.work / "act/act_bench.py", repository, name, "--event-file", file, "--work", self.work]
        command += [part for mapped in self.maps for part in ("--map", mapped)]
        command += ["--api", api] if api else []
        command += ["--", "--no-skip-checkout", "-W", repository / ".github/workflows" / workflow]
        command += ["--env", f"GITHUB_RUN_ID={RUN_ID}"]
        for runner in ("ubuntu-24.04-arm", "macos-15"):
            command += ["-P", f"{runner}=-self-hosted"]
        command += [part for key, value in secrets.items() for part in ("-s", f"{key}={value}")]
        environment = {**os.environ, "ACT": str(self.bench / ".venv/bin/act"), "MIRRORS": "/nowhere"}
        environment["PATH"] = f"{self.shell}:{self.tools}:{environment['PATH']}"
        started = time.monotonic()
        done = subprocess.run([*command, *flags], env=environment, capture_output=True, text=True)
        seconds = time.monotonic() - started
        jobs = dict(re.findall(r"^(.*\S)\s*: Job (\w+)$", done.stdout, re.M))
        log = (self.work / "act.log").read_text(errors="replace")
        if "Error: workflow is not valid" in log:
            raise ValueError(log[-2000:])
        said = [file.read_text(errors="replace") for file in self.said.iterdir()]
        return Outcome(done.returncode, jobs, log, said, seconds)

    def artifacts(self) -> dict:
        """Artifacts of the last run: by name, their files' texts."""
        found = {}
        for path in (self.work / "artifacts").rglob("*.zip"):
            with zipfile.ZipFile(path) as file:
                found[path.stem] = {name: file.read(name).decode(errors="replace") for name in file.namelist()}
        return found


def wait_for(file: Path) -> None:
    for _ in range(200):
        if file.exists() and file.read_text():
            return
        time.sleep(0.1)
    raise TimeoutError(f"{file} did not appear")
