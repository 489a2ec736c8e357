//! Trainings of a tiny network by the built program: it learns, and neither a kill nor
//! the number of threads changes it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Least F1 at an overlap of 0.5 on phantoms that the network never saw.
const LEAST_F1: f64 = 0.9;

/// Longest time until a checkpoint appears.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with phantoms, seven for training and three for testing, and a recipe.
struct TestFolder {
    folder: TempDir,
}

impl TestFolder {
    fn new(steps: u64, validate_every: u64) -> Self {
        let folder = Self { folder: tempfile::tempdir().unwrap() };
        let drawn = ["dataset", "phantom", "--out", "phantoms", "--modality", "fluorescence"];
        folder.done(&[&drawn[..], &["--n-fields", "10"]].concat());
        folder.done(&["dataset", "split", "phantoms", "--out", "divided.yaml"]);
        std::fs::rename(folder.path("divided.yaml"), folder.path("phantoms/dataset.yaml")).unwrap();
        let recipe = json!({
            "architecture": {
                "in_channels": 3, "base_width": 8, "depth": 2,
                "normalization": "batch", "up_sampling": "transposed",
            },
            "sampling": {"batch": 4, "crop_px": 96, "validation_fraction": 0.3},
            "warp": {"scale": [0.8, 1.25], "elastic_chance": 0.0},
            "optimization": {
                "steps": steps, "rate": 0.01, "warm_up_steps": 10, "ema_decay": 0.9,
                "validate_every": validate_every,
            },
        });
        std::fs::write(folder.path("recipe.json"), recipe.to_string()).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cellgate"));
        command.current_dir(&self.folder).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Trains in a folder by the recipe.
    #[track_caller]
    fn train(&self, out: &str, options: &[&str]) -> String {
        self.done(&training(out, &[&["--recipe", "recipe.json"], options].concat()))
    }

    /// A training that is killed without warning as soon as it has a checkpoint.
    fn killed(&self, out: &str) {
        let arguments = training(out, &["--recipe", "recipe.json"]);
        let child = self.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        let is_there = appears(&self.path(out).join("checkpoint.safetensors"), &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_there, "no checkpoint within {PATIENCE:?}");
    }
}

fn training<'a>(out: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    let named = ["train", "--quiet", "--data", "phantoms", "--name", "tiny", "--out", out];
    [&named[..], options].concat()
}

/// Whether a file appears while a program runs.
fn appears(path: &Path, child: &mut Child) -> bool {
    let started = Instant::now();
    while !path.exists() && started.elapsed() < PATIENCE && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    path.exists()
}

#[test]
fn a_tiny_network_learns_to_find_phantoms() {
    let folder = TestFolder::new(160, 80);
    let said = folder.train("out", &[]);
    assert!(said.contains("complete after 160 steps"), "{said}");
    let card = folder.json("out/tiny.card.json");
    let figures = &card["figures"]["test"][0];
    assert_eq!((&figures["image_type"], &figures["n_images"]), (&"fluorescence".into(), &3.into()));
    let f1 = figures["f1_at_50"].as_f64().unwrap();
    assert!(f1 >= LEAST_F1, "F1 is {f1}: {figures}");
    let split = &card["training"]["split"];
    assert_eq!(
        (&split["training"]["n_images"], &split["validation"]["n_images"]),
        (&5.into(), &2.into())
    );
    assert_eq!((&card["license"], &card["training"]["seed"]), (&"CC0-1.0".into(), &1.into()));
    folder.done(&["model", "check", "out/tiny.card.json"]);
    let curves = String::from_utf8(folder.bytes("out/curves.csv")).unwrap();
    assert!(curves.starts_with("step,total,nucleus,dice,boundary,distance,held out,score,"));
    assert_eq!(curves.lines().count(), 1 + 160 / 20);
    let report = folder.json("out/validation.json");
    assert_eq!(report["schema"], "cellgate/validation/v1");
    assert_eq!(report["fields"].as_array().unwrap().len(), 2);
    for file in ["curves.svg", "validation.md", "test.json", "recipe.json", "pictures/01.png"] {
        assert!(folder.path("out").join(file).exists(), "{file}");
    }
    // Made again from what is kept.
    std::fs::remove_file(folder.path("out/tiny.card.json")).unwrap();
    folder.done(&training("out", &["--finish"]));
    assert_eq!(folder.json("out/tiny.card.json"), card);
}

#[test]
fn a_killed_training_goes_on_to_the_same_weights() {
    let folder = TestFolder::new(240, 60);
    folder.train("whole", &[]);
    folder.killed("cut");
    let refused = folder.run(&training("cut", &["--resume", "--rate", "0.02"]));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("of another training: its recipe is"), "{said}");
    let anew = folder.run(&training("cut", &["--recipe", "recipe.json"]));
    assert_eq!(anew.status.code(), Some(2), "a training is not overwritten");
    let said = folder.done(&training("cut", &["--resume"]));
    assert!(said.contains("complete after 240 steps"), "{said}");
    for file in ["tiny.safetensors", "best.safetensors", "curves.csv", "validation.json"] {
        assert!(
            folder.bytes(&format!("whole/{file}")) == folder.bytes(&format!("cut/{file}")),
            "{file}"
        );
    }
}

#[test]
fn the_number_of_threads_changes_no_weight_and_the_seed_does() {
    let folder = TestFolder::new(12, 12);
    folder.train("one", &["--threads", "1"]);
    folder.train("two", &["--threads", "2"]);
    folder.train("other", &["--seed", "2"]);
    let weights = |out: &str| folder.bytes(&format!("{out}/tiny.safetensors"));
    assert!(weights("one") == weights("two"));
    assert!(weights("one") != weights("other"));
}

#[test]
fn a_preview_shows_what_is_learned_and_trains_nothing() {
    let folder = TestFolder::new(12, 12);
    folder.train("look", &["--preview", "2"]);
    let mut files: Vec<_> =
        folder.path("look").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["preview-000.png", "preview-001.png"]);
}

#[cfg(not(feature = "train-wgpu"))]
#[test]
fn a_graphics_card_is_refused_where_nothing_can_ask_for_one() {
    let folder = TestFolder::new(12, 12);
    let refused = folder.run(&training("out", &["--recipe", "recipe.json", "--device", "gpu"]));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("built without graphics cards"), "{said}");
    assert!(!folder.path("out").exists());
}
