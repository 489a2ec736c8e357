//! Real fields: a repository made of the images that `CELLGATE_REAL_DATA` names.
//!
//! The folder holds `manifest.csv` with the columns `file, sha256, width, height, bits, channels,
//! modality, mask, mask_sha256`, in this order. Real fields are too large, and licensed too
//! variously, to lie beside the tests.

use crate::repository::{Repository, TOLERANCES};
use std::fmt::Write as _;
use std::path::Path;

/// Larger images are left out: a gate's fixture dataset is meant to be quick.
const MAX_SIDE_PX: u32 = 700;

/// A profile, the type of its images, and the beginnings of their names.
type Trial = (&'static str, &'static str, &'static [&'static str]);

const TRIALS: [Trial; 4] = [
    ("dapi-culture", "fluorescence", &["fluo/original/dsb_", "fluo/original/bbbc039_"]),
    ("dapi-tissue", "fluorescence", &["fluo/original/bd_"]),
    ("he-tissue", "he", &["he/"]),
    ("ihc-hdab", "ihc-hdab", &["ihc/", "ihc_synth/"]),
];

/// A repository for each shipped profile, with real fields; none without data.
pub(crate) fn repositories() -> Vec<(&'static str, Repository)> {
    let Some(data) = std::env::var_os("CELLGATE_REAL_DATA") else { return Vec::new() };
    TRIALS.iter().map(|trial| (trial.0, of_trial(Path::new(&data), trial))).collect()
}

fn of_trial(data: &Path, (profile, image_type, beginnings): &Trial) -> Repository {
    let manifest = std::fs::read_to_string(data.join("manifest.csv")).unwrap();
    let is_meant = |line: &&str| beginnings.iter().any(|beginning| line.starts_with(beginning));
    let lines: Vec<&str> = manifest.lines().filter(is_meant).collect();
    let repository = Repository::empty();
    write_dataset(&repository, data, profile, image_type, &lines);
    let project = format!(
        "schema: cellgate/project/v1\ntolerances: params/tolerances.yaml\n\
         datasets: {{{profile}: datasets/{profile}}}\n\
         gate: [{{profile: {profile}, dataset: {profile}}}]\n"
    );
    let path = format!("params/{profile}.yaml");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path);
    repository.write("cellgate.yaml", &project);
    repository.write(&path, &std::fs::read_to_string(shipped).unwrap());
    repository.write("params/tolerances.yaml", TOLERANCES);
    repository.commit("base");
    repository
}

fn write_dataset(
    repository: &Repository,
    data: &Path,
    name: &str,
    image_type: &str,
    lines: &[&str],
) {
    let folder = format!("datasets/{name}");
    let mut text = format!("schema: cellgate/dataset/v1\nname: {name}\nfields:\n");
    for line in lines {
        let [image, sha256, width, height, _, _, _, mask, mask_sha256, ..] =
            line.split(',').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        let side = |text: &str| text.parse::<u32>().unwrap();
        if mask.is_empty() || MAX_SIDE_PX < side(width).max(side(height)) {
            continue;
        }
        let field = Path::new(image).file_stem().unwrap().to_str().unwrap();
        for path in [image, mask] {
            let copy = repository.path(&folder).join(path);
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::copy(data.join(path), copy).unwrap();
        }
        writeln!(
            text,
            "  - {{name: {field}, image: {image}, sha256: \"{sha256}\", mask: {mask}, \
             mask_sha256: \"{mask_sha256}\", image_type: {image_type}, split: test}}"
        )
        .unwrap();
    }
    repository.write(&format!("{folder}/dataset.yaml"), &text);
}
