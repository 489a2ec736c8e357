//! Accuracy of the shipped profiles on real images, where they are present.
//!
//! `CELLGATE_REAL_DATA` names a folder with `MODALITY/original` and `MODALITY/masks`. The floors are
//! those of a scikit-image 0.26 pipeline tuned on the same images. A third of the fields, by a hash
//! of their names, was kept apart when candidate parameters were ranked; its means are printed.
#![expect(clippy::print_stdout, reason = "figures are read where the images are")]

use cellgate_core::accuracy::{FieldAccuracy, mean, score_field};
use cellgate_inputs::dataset::decode::{decode, decode_labels};
use cellgate_inputs::params::Params;
use cellgate_inputs::revision::Tree;
use cellgate_run::models::Models;
use cellgate_run::ready::Ready;
use cellgate_run::{FieldRun, pixel_size};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// One image with its truth, segmented.
struct Scored {
    name: String,
    run: FieldRun,
    accuracy: FieldAccuracy,
}

fn package() -> Tree {
    Tree::Folder(PathBuf::from(env!("CARGO_MANIFEST_DIR")))
}

fn profile(name: &str) -> Params {
    cellgate_inputs::params::load(&package(), &format!("params/{name}.yaml")).unwrap().params
}

/// Segments every image of a modality that has truth and whose name starts with one of `prefixes`.
fn score(folder: &Path, profile_name: &str, prefixes: &[&str]) -> Vec<Scored> {
    let params = profile(profile_name);
    let tree = package();
    let ready = Ready::new(&params, Models::new(&tree, "models", None));
    let mut names: Vec<String> = std::fs::read_dir(folder.join("original"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| folder.join(format!("masks/{name}_mask.png")).is_file())
        .collect();
    names.sort();
    names
        .into_par_iter()
        .map(|name| {
            let bytes = std::fs::read(folder.join(format!("original/{name}.png"))).unwrap();
            let decoded = decode(&name, &bytes).unwrap();
            let bytes = std::fs::read(folder.join(format!("masks/{name}_mask.png"))).unwrap();
            let truth = decode_labels(&name, &bytes).unwrap();
            let (pixel, _) = pixel_size(&params, None, decoded.pixel_size, "");
            let run = ready.run(&decoded.image, pixel).unwrap();
            let accuracy = score_field(&truth, &run.labels).unwrap();
            Scored { name, run, accuracy }
        })
        .collect()
}

/// Whether a field was kept apart: candidates were ranked on the other fields.
fn is_kept_apart(name: &str) -> bool {
    let hash = |hash: u32, byte: u8| hash.wrapping_mul(31).wrapping_add(u32::from(byte));
    name.bytes().fold(7, hash) % 3 == 0
}

/// F1 averaged over overlaps of 0.50 to 0.95, as BBBC039's authors report it.
fn mean_f1(accuracy: &FieldAccuracy) -> f64 {
    accuracy.ap.iter().map(|ap| 2.0 * ap / (1.0 + ap)).sum::<f64>() / accuracy.ap.len() as f64
}

#[track_caller]
fn check(what: &str, scored: &[Scored], [f1, map]: [f64; 2]) {
    let all = mean(scored.iter().map(|scored| &scored.accuracy.scores)).unwrap();
    let apart: Vec<&Scored> = scored.iter().filter(|scored| is_kept_apart(&scored.name)).collect();
    let apart = mean(apart.iter().map(|scored| &scored.accuracy.scores));
    let suffix = apart.map_or_else(String::new, |scores| {
        format!(", kept apart F1 {:.3}, mAP {:.3}", scores.f1_at_50, scores.map)
    });
    println!("{what}: {} fields, F1 {:.3}, mAP {:.3}{suffix}", scored.len(), all.f1_at_50, all.map);
    assert!(f1 <= all.f1_at_50 && map <= all.map, "{what}: {} {}", all.f1_at_50, all.map);
}

#[test]
fn shipped_profiles_reach_the_baseline_on_real_images() {
    let Some(data) = std::env::var_os("CELLGATE_REAL_DATA").map(PathBuf::from) else {
        println!("without CELLGATE_REAL_DATA there are no real images to segment");
        return;
    };
    let fluo = data.join("fluo");
    // The baseline of all 45 fluorescence images, by the profile that a user tries first.
    check("dapi-culture, all fluorescence", &score(&fluo, "dapi-culture", &[""]), [0.758, 0.438]);
    let culture = score(&fluo, "dapi-culture", &["dsb_", "bbbc039_"]);
    check("dapi-culture, cultures", &culture, [0.854, 0.503]);
    check("dapi-tissue, tissue", &score(&fluo, "dapi-tissue", &["bd_"]), [0.533, 0.199]);
    check("bbbc039, BBBC039", &score(&fluo, "bbbc039", &["bbbc039_"]), [0.820, 0.570]);
    check(
        "he-tissue, stained tissue",
        &score(&data.join("he"), "he-tissue", &[""]),
        [0.645, 0.279],
    );
    check(
        "ihc-hdab, Bladder1",
        &score(&data.join("ihc"), "ihc-hdab", &["deepliif"]),
        [0.593, 0.194],
    );
}

#[test]
fn the_shipped_network_finds_nuclei_in_images_it_never_saw() {
    let Some(data) = std::env::var_os("CELLGATE_REAL_DATA").map(PathBuf::from) else {
        println!("without CELLGATE_REAL_DATA there are no real images to segment");
        return;
    };
    let fluo = score(&data.join("fluo"), "unet-nuclei", &[""]);
    check("unet-nuclei, all fluorescence", &fluo, [0.88, 0.60]);
    let tissue: Vec<Scored> = score(&data.join("fluo"), "unet-nuclei", &["bd_"]);
    check("unet-nuclei, tissue", &tissue, [0.83, 0.48]);
    let plate = score(&data.join("fluo"), "unet-nuclei", &["bbbc039_"]);
    let average = plate.iter().map(|scored| mean_f1(&scored.accuracy)).sum::<f64>();
    println!(
        "unet-nuclei, BBBC039: mean F1 of overlaps .50 to .95 {:.3}",
        average / plate.len() as f64
    );
    check("unet-he, stained tissue", &score(&data.join("he"), "unet-he", &[""]), [0.77, 0.38]);
}

#[test]
fn scores_of_stained_nuclei_are_near_their_truth() {
    let Some(data) = std::env::var_os("CELLGATE_REAL_DATA").map(PathBuf::from) else {
        println!("without CELLGATE_REAL_DATA there are no rendered images to score");
        return;
    };
    let folder = data.join("ihc_synth");
    let scored = score(&folder, "ihc-hdab", &[""]);
    let table = std::fs::read_to_string(folder.join("scores.csv")).unwrap();
    let (mut h_score_off, mut percent_off, mut n) = (0.0, 0.0, 0.0);
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let summary = scored.iter().find(|scored| scored.name == cells[0]).unwrap().run.summary;
        let truth = |column: usize| cells[column].parse::<f64>().unwrap();
        percent_off += (summary.positive_percent.unwrap() - truth(6)).abs();
        h_score_off += (summary.h_score.unwrap() - truth(7)).abs();
        n += 1.0;
    }
    println!("H-score off by {:.2}, positive by {:.2} %", h_score_off / n, percent_off / n);
    assert!(h_score_off / n <= 5.0 && percent_off / n <= 2.0);
}
