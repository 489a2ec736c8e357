//! Bad files: images, datasets and repositories that are wrong, and the message that each gets.
//!
//! Gives sections to the page of `bad_inputs`; asks nothing itself.

use crate::repository::{PROFILE, PROJECT, Repository};
use cellgate_core::profile::Modality;
use cellgate_inputs::dataset::decode::decode;
use cellgate_inputs::dataset::{Dataset, write_phantoms};
use cellgate_inputs::finding::Finding;
use cellgate_inputs::revision::Tree;
use std::io::Cursor;
use std::path::Path;

/// Faults, each with its message.
pub(crate) type Said<T> = Vec<(&'static str, T)>;

const WIDTH: u32 = 4;
const HEIGHT: u32 = 4;

fn png(color: png::ColorType, samples: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, WIDTH, HEIGHT);
    encoder.set_color(color);
    encoder.write_header().unwrap().write_image_data(samples).unwrap();
    file
}

/// A PNG whose header promises more than anybody has memory for.
fn bomb() -> Vec<u8> {
    let mut file = Vec::new();
    drop(png::Encoder::new(&mut file, 60_000, 60_000).write_header().unwrap());
    file
}

fn tiff<C>(n_pages: usize, samples: &[C::Inner]) -> Vec<u8>
where
    C: tiff::encoder::colortype::ColorType,
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
    for _ in 0..n_pages {
        encoder.write_image::<C>(WIDTH, HEIGHT, samples).unwrap();
    }
    file.into_inner()
}

/// The head of a JPEG with four components, as printers want them.
fn cmyk_jpeg() -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 20, 8, 0, HEIGHT as u8, 0, WIDTH as u8, 4];
    file.extend((1..=4).flat_map(|component| [component, 0x11, 0]));
    file.extend([0xFF, 0xDA, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0, 0xFF, 0xD9]);
    file
}

/// Images that cannot be read as they are.
pub(crate) fn images() -> Said<Vec<Finding>> {
    use png::ColorType::{Grayscale, Rgba};
    use tiff::encoder::colortype::{Gray8, Gray32Float};
    let gray = [7; 16];
    let whole = png(Grayscale, &gray);
    let files: [(&str, &str, Vec<u8>); 11] = [
        ("zero bytes", "A01.png", Vec::new()),
        ("text named `.png`", "A01.png", b"not an image\n".to_vec()),
        ("a PNG cut in the middle", "A01.png", whole[..whole.len() / 2].to_vec()),
        ("a PNG header of 60,000 by 60,000 pixels", "A01.png", bomb()),
        ("a PNG with transparency", "A01.png", png(Rgba, &[9, 9, 9, 128].repeat(16))),
        ("a JPEG for printing", "A01.jpg", cmyk_jpeg()),
        ("a TIFF of floating-point numbers", "A01.tif", tiff::<Gray32Float>(1, &[0.5; 16])),
        ("a TIFF of two pages", "A01.tif", tiff::<Gray8>(2, &gray)),
        ("a microscope's own format", "A01.czi", b"ZISRAWFILE\0\0\0\0\0\0".to_vec()),
        ("a WebP image named `.png`", "A01.png", b"RIFF\x10\0\0\0WEBPVP8 ".to_vec()),
        (
            "a Git LFS pointer",
            "A01.png",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n".to_vec(),
        ),
    ];
    let decode_file = |(what, name, bytes): (&'static str, &str, Vec<u8>)| {
        (what, decode(name, &bytes).err().unwrap_or_default())
    };
    files.into_iter().map(decode_file).collect()
}

/// Function that damages a sound dataset.
type Harm = fn(&Path);

/// Replaces a text in a dataset's manifest.
fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("dataset.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Puts another mask in place, with the digest that it has.
fn exchange_mask(folder: &Path, mask: &[u8]) {
    let path = folder.join("masks/he-1_mask.png");
    let before =
        cellgate_core::digest::Digest::of_bytes(&std::fs::read(&path).unwrap()).to_string();
    std::fs::write(path, mask).unwrap();
    edit(folder, &before, &cellgate_core::digest::Digest::of_bytes(mask).to_string());
}

const HARMS: [(&str, Harm); 11] = [
    ("no manifest", |folder| std::fs::remove_file(folder.join("dataset.yaml")).unwrap()),
    ("no field", |folder| {
        let text = "schema: cellgate/dataset/v1\nname: d\nfields: []\n";
        std::fs::write(folder.join("dataset.yaml"), text).unwrap();
    }),
    ("a missing image", |folder| std::fs::remove_file(folder.join("original/he-1.png")).unwrap()),
    ("an image that was changed", |folder| {
        let path = folder.join("original/he-1.png");
        std::fs::write(&path, std::fs::read(folder.join("original/he-2.png")).unwrap()).unwrap();
    }),
    ("a digest that is none", |folder| edit(folder, "sha256: \"", "sha256: none # \"")),
    ("a mask of another size", |folder| {
        exchange_mask(folder, &png(png::ColorType::Grayscale, &[1; 16]))
    }),
    ("a mask in color", |folder| exchange_mask(folder, &png(png::ColorType::Rgb, &[1; 48]))),
    ("a name twice", |folder| edit(folder, "name: \"he-2\"", "name: \"he-1\"")),
    ("a path that leads out", |folder| edit(folder, "original/he-1.png", "../he-1.png")),
    ("a mask without a digest", |folder| edit(folder, "mask_sha256", "mask_sha")),
    ("a pixel size in nanometers", |folder| {
        edit(folder, "pixel_size_um: 0.5", "pixel_size_um: 500")
    }),
];

/// Datasets that are not what their manifest says.
pub(crate) fn datasets() -> Said<Vec<Finding>> {
    let check_dataset = |(what, harm): (&'static str, Harm)| {
        let folder = tempfile::tempdir().unwrap();
        let dataset = folder.path().join("d");
        write_phantoms(&dataset, &[Modality::He], 1, 2).unwrap();
        harm(&dataset);
        let tree = Tree::Folder(folder.path().to_owned());
        (what, Dataset::load(&tree, "d").map_or_else(|found| found, |dataset| dataset.check(&tree)))
    };
    HARMS.into_iter().map(check_dataset).collect()
}

/// A repository with a project on phantoms and a sound profile.
fn on_phantoms() -> Repository {
    let repository = Repository::empty();
    let project = PROJECT.replace("datasets/nuclei", "{builtin: phantoms}");
    let project = project.replace("dataset: nuclei}", "dataset: nuclei, image_type: fluorescence}");
    let project = project.replace("tolerances: params/tolerances.yaml\n", "");
    repository.write("cellgate.yaml", &project);
    repository.write("params/culture.yaml", PROFILE);
    repository.commit("base");
    repository
}

/// Repositories that cannot be gated: exit code and what is told.
pub(crate) fn repositories() -> Said<(i32, String)> {
    let gate = |repository: &Repository, base: &str| {
        let output = repository.gate_in_full(&["--base", base]).told;
        let is_remark =
            |line: &&str| ["error", " = help"].iter().any(|word| line.starts_with(word));
        let text = format!("{}{}", output.out, output.err);
        let lines: Vec<String> = text
            .lines()
            .filter(is_remark)
            .map(|line| line.trim().trim_start_matches("= ").to_owned())
            .collect();
        (output.code, if lines.is_empty() { text.trim().to_owned() } else { lines.join("; ") })
    };
    let bare = Repository::empty();
    bare.write("README", "");
    bare.commit("base");
    let deleted = on_phantoms();
    deleted.remove("cellgate.yaml");
    let missing = on_phantoms();
    missing.edit("cellgate.yaml", "{builtin: phantoms}", "datasets/nuclei");
    let untyped = on_phantoms();
    untyped.edit("cellgate.yaml", "image_type: fluorescence", "image_type: he-tissue");
    untyped.commit("a type without fields");
    vec![
        ("no `cellgate.yaml` on either side", gate(&bare, "HEAD")),
        ("`cellgate.yaml` deleted", gate(&deleted, "HEAD")),
        ("a revision that is not there", gate(&on_phantoms(), "origin/main")),
        ("a commit that a shallow clone lacks", gate(&on_phantoms(), &"1".repeat(40))),
        ("a dataset that is not there", gate(&missing, "HEAD")),
        ("an image type that no field has", gate(&untyped, "HEAD")),
    ]
}
