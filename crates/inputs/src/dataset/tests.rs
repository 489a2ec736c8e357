//! Tests of datasets: manifests, the files that they name, and the way from files to a dataset.

use super::decode::decode;
use super::encode::{encode_image, encode_labels};
use super::manifest::{MANIFEST_FILE, render_manifest};
use super::phantom::Phantom;
use super::prepare::Preparation;
use super::store::{NewDataset, NewField, StoreError, write_new};
use super::*;
use crate::finding::{Code, Finding, Severity};
use crate::revision::Tree;
use cellgate_core::preparation::{Histogram, Size, Steps};
use cellgate_core::profile::Modality;
use cellgate_core::raster::Raster;
use std::path::Path;
use tempfile::TempDir;

fn field(name: &str, seed: u8) -> NewField {
    let image = Image::Gray8(Raster::from_fn(6, 4, |x, y| (x * 9 + y) as u8 + seed));
    let truth = Labels::from_fn(6, 4, |x, _| {
        if x < 2 {
            1
        } else if x > 3 {
            2
        } else {
            0
        }
    });
    NewField {
        name: name.to_owned(),
        image: encode_image(&image, None).unwrap(),
        mask: Some((encode_labels(&truth).unwrap(), "png")),
        image_type: "fluorescence".to_owned(),
        pixel_size: PixelSize::from_um(0.5),
        split: Split::Test,
        group: Some(format!("slide {name}")),
        source: Some("drawn: \"by hand\"".to_owned()),
        license: Some("CC0-1.0".to_owned()),
    }
}

fn write(fields: Vec<NewField>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = NewDataset::create(folder.path(), "test").unwrap();
    for field in fields {
        dataset.add(field).unwrap();
    }
    dataset.finish().unwrap();
    folder
}

fn tree(folder: &TempDir) -> Tree {
    Tree::Folder(folder.path().to_owned())
}

fn load(folder: &TempDir) -> Result<Dataset, Vec<Finding>> {
    Dataset::load(&tree(folder), ".")
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_written_dataset_reads_back() {
    let folder = write(vec![field("b", 1), field("a", 2)]);
    let dataset = load(&folder).unwrap();
    assert_eq!(dataset.name(), "test");
    let names: Vec<&str> = dataset.fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(dataset.check(&tree(&folder)), []);
    let loaded_field = dataset.fields()[0].open(&tree(&folder)).unwrap();
    assert_eq!(loaded_field.image, decode("a", &field("a", 2).image).unwrap().image);
    assert_eq!(loaded_field.truth.unwrap().row(0), [1, 1, 0, 0, 2, 2]);
    assert_eq!(dataset.fields()[0].source.as_deref(), Some("drawn: \"by hand\""));
}

#[test]
fn a_dataset_is_found_below_a_folder_of_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = NewDataset::create(&folder.path().join("data/nuclei"), "test").unwrap();
    dataset.add(field("a", 1)).unwrap();
    dataset.finish().unwrap();
    let dataset = Dataset::load(&tree(&folder), "data/nuclei/").unwrap();
    assert_eq!(dataset.check(&tree(&folder)), []);
    assert_eq!(&*dataset.place().path, "data/nuclei/dataset.yaml");
}

#[test]
fn a_dataset_is_read_from_a_commit() {
    let folder = write(vec![field("a", 1)]);
    let git = |arguments: &[&str]| {
        let identity =
            ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
        let mut command = std::process::Command::new("git");
        command.arg("-C").arg(folder.path()).args(identity).args(arguments);
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "Add the dataset"]);
    let commit = Tree::of_revision(folder.path(), "HEAD").unwrap();
    let in_folder = load(&folder).unwrap();
    for part in ["original", "masks", MANIFEST_FILE] {
        let path = folder.path().join(part);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap()
        } else {
            std::fs::remove_file(path).unwrap()
        }
    }
    let in_commit = Dataset::load(&commit, ".").unwrap();
    assert_eq!(in_commit, in_folder);
    assert_eq!(in_commit.check(&commit), []);
    assert_eq!(in_commit.fields()[0].open(&commit).unwrap().image.width(), 6);
}

#[test]
fn names_have_the_form_that_the_schema_asks_for() {
    let pattern = manifest::manifest_schema()["properties"]["name"]["pattern"].clone();
    assert_eq!(pattern, "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$");
    for (name, expected) in
        [("a", true), ("A-1.x_", true), ("", false), (".a", false), ("a/b", false), ("ä", false)]
    {
        assert_eq!(manifest::is_name(name), expected, "{name}");
    }
    assert!(manifest::is_name(&"a".repeat(100)) && !manifest::is_name(&"a".repeat(101)));
}

#[track_caller]
fn check_manifest(from: &str, to: &str, expected: &[(Code, u32)]) {
    let folder = write(vec![field("a", 1), field("b", 2)]);
    let path = folder.path().join(MANIFEST_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    let findings =
        load(&folder).map_or_else(|findings| findings, |dataset| dataset.check(&tree(&folder)));
    let line = |finding: &Finding| finding.place.span.map_or(0, |span| span.line);
    let found: Vec<(Code, u32)> =
        findings.iter().map(|finding| (finding.code, line(finding))).collect();
    assert_eq!(found, expected, "{findings:#?}");
}

#[test]
fn each_mistake_in_a_manifest_is_found_at_its_line() {
    check_manifest("name: \"b\"", "name: \"A\"", &[(Code::NameTaken, 15)]);
    check_manifest("name: \"b\"", "name: \"../b\"", &[(Code::WrongForm, 15)]);
    check_manifest("\"original/b.png\"", "../b.png", &[(Code::PathOutside, 16)]);
    check_manifest("\"original/b.png\"", "/etc/passwd", &[(Code::PathOutside, 16)]);
    check_manifest(
        "\"original/b.png\"",
        "original/c.png",
        &[(Code::FileUnreadable, 16), (Code::DatasetLayout, 0)],
    );
    check_manifest(
        "split: test",
        "split: validation",
        &[(Code::UnknownValue, 11), (Code::UnknownValue, 22)],
    );
    check_manifest(
        "pixel_size_um: 0.5",
        "pixel_size_um: 0",
        &[(Code::OutOfRange, 10), (Code::OutOfRange, 21)],
    );
    check_manifest(
        "schema: cellgate/dataset/v1",
        "schema: cellgate/dataset/v2",
        &[(Code::SchemaTooNew, 1)],
    );
    check_manifest("license:", "licence:", &[(Code::UnknownKey, 14), (Code::UnknownKey, 25)]);
    check_manifest("    license: \"CC0-1.0\"\n", "", &[(Code::DatasetLayout, 0)]);
}

#[test]
fn digests_must_have_their_form_and_hold() {
    let sha256 = Digest::of_bytes(&field("b", 2).image).to_string();
    check_manifest(&sha256, &sha256.to_uppercase(), &[(Code::WrongForm, 17)]);
    let other_digest = Digest::of_bytes(b"other").to_string();
    check_manifest(&sha256, &other_digest, &[(Code::DigestMismatch, 17)]);
}

#[test]
fn a_mask_and_its_digest_stand_together() {
    let folder = write(vec![field("a", 1)]);
    let mut records: Vec<FieldRecord> =
        load(&folder).unwrap().fields().iter().map(|f| f.record.clone()).collect();
    records[0].mask = None;
    let text = render_manifest("test", &records);
    std::fs::write(
        folder.path().join(MANIFEST_FILE),
        format!("{text}    mask: masks/a_mask.png\n"),
    )
    .unwrap();
    assert_eq!(codes(&load(&folder).unwrap_err()), [Code::MissingKey]);
    std::fs::write(folder.path().join(MANIFEST_FILE), text).unwrap();
    let dataset = load(&folder).unwrap();
    assert_eq!(dataset.fields()[0].open(&tree(&folder)).unwrap().truth, None);
    let findings = dataset.check(&tree(&folder));
    assert_eq!(codes(&findings), [Code::DatasetLayout; 2]);
    assert_eq!([findings[0].severity, findings[1].severity], [Severity::Warning, Severity::Note]);
}

#[test]
fn training_and_testing_share_neither_groups_nor_images() {
    let train = |name, seed| NewField { split: Split::Train, ..field(name, seed) };
    let grouped = |field: NewField| NewField { group: Some("slide".to_owned()), ..field };
    let folder = write(vec![grouped(field("a", 1)), grouped(train("b", 2))]);
    assert_eq!(codes(&load(&folder).unwrap_err()), [Code::SplitLeak]);
    let folder = write(vec![field("a", 1), train("b", 1)]);
    assert_eq!(codes(&load(&folder).unwrap_err()), [Code::SplitLeak]);
    let folder = write(vec![grouped(field("a", 1)), grouped(field("b", 2)), train("c", 3)]);
    assert!(load(&folder).is_ok());
}

#[test]
fn masks_and_pixel_sizes_must_fit_their_image() {
    let codes_of = |field: NewField| {
        let folder = write(vec![field]);
        codes(&load(&folder).unwrap().check(&tree(&folder)))
    };
    let small_mask = encode_labels(&Labels::filled(5, 4, 1)).unwrap();
    assert_eq!(
        codes_of(NewField { mask: Some((small_mask, "png")), ..field("a", 1) }),
        [Code::MaskShape]
    );
    let binary = Labels::from_fn(6, 4, |x, _| if x == 3 { 0 } else { 255 });
    let binary = encode_labels(&binary).unwrap();
    assert_eq!(
        codes_of(NewField { mask: Some((binary, "png")), ..field("a", 1) }),
        [Code::MaskNotLabels]
    );
    let image = Image::Gray8(Raster::filled(6, 4, 7));
    let image = encode_image(&image, PixelSize::from_um(0.25)).unwrap();
    assert_eq!(codes_of(NewField { image, ..field("a", 1) }), [Code::PixelSizeConflict]);
}

#[test]
fn digest_depends_on_what_results_depend_on() {
    let digest = |field: NewField| load(&write(vec![field])).unwrap().digest();
    let base = digest(field("a", 1));
    assert_eq!(
        digest(NewField { license: None, group: None, source: None, ..field("a", 1) }),
        base
    );
    assert_ne!(digest(field("b", 1)), base);
    assert_ne!(digest(field("a", 2)), base);
    assert_ne!(digest(NewField { mask: None, ..field("a", 1) }), base);
    assert_ne!(digest(NewField { image_type: "he".to_owned(), ..field("a", 1) }), base);
    assert_ne!(digest(NewField { pixel_size: None, ..field("a", 1) }), base);
    assert_ne!(digest(NewField { split: Split::Train, ..field("a", 1) }), base);
}

#[test]
fn nothing_is_overwritten() {
    let folder = write(vec![field("a", 1)]);
    assert!(matches!(NewDataset::create(folder.path(), "again"), Err(StoreError::Exists(_))));
    let file = folder.path().join("original/a.png");
    let original = std::fs::read(&file).unwrap();
    assert!(matches!(write_new(&file, b"other"), Err(StoreError::Exists(_))));
    assert_eq!(std::fs::read(&file).unwrap(), original);
    let n_files = std::fs::read_dir(folder.path().join("original")).unwrap().count();
    assert_eq!(n_files, 1);
}

#[test]
fn embedded_phantoms_are_a_dataset() {
    let dataset = Dataset::phantoms();
    assert_eq!(dataset.fields().len(), 18);
    let no_folder = Tree::Folder("/nonexistent".into());
    assert_eq!(dataset.check(&no_folder), []);
    for field in dataset.fields() {
        let loaded_field = field.open(&no_folder).unwrap();
        assert_eq!(loaded_field.digest, phantom::digest_of_samples(&loaded_field.image));
        let n_nuclei = loaded_field.truth.unwrap().samples().iter().copied().max().unwrap();
        assert!((20..=45).contains(&n_nuclei), "{} has {n_nuclei}", field.name);
    }
    assert_eq!(dataset.digest().short(), "e17554a3653b");
}

fn preparation(images: &Path, masks: &Path) -> Preparation {
    Preparation {
        images: images.to_owned(),
        masks: Some(masks.to_owned()),
        has_binary_masks: false,
        image_type: "he".to_owned(),
        pixel_size: PixelSize::from_um(0.5),
        steps: Steps::default(),
        split: Split::Test,
        groups: None,
        source: None,
        license: None,
    }
}

#[test]
fn a_folder_is_brought_into_the_layout() {
    let folder = tempfile::tempdir().unwrap();
    let (images, masks) = (folder.path().join("in"), folder.path().join("truth"));
    for path in [&images, &masks] {
        std::fs::create_dir(path).unwrap();
    }
    let drawing =
        Phantom { width: 64, height: 48, n_nuclei: 4, ..Phantom::new(Modality::He, 1) }.draw();
    let image = encode_image(&drawing.image, None).unwrap();
    let mask = encode_labels(&drawing.truth).unwrap();
    std::fs::write(images.join("Probe 1.png"), &image).unwrap();
    std::fs::write(images.join("b.tif"), encode_labels_as_tiff()).unwrap();
    std::fs::write(images.join("notes.txt"), "left alone").unwrap();
    std::fs::write(masks.join("Probe 1_mask.png"), &mask).unwrap();
    let out = folder.path().join("out");
    let (manifest, findings) = preparation(&images, &masks).write(&out, "mine").unwrap();
    assert_eq!(manifest, Some(out.join(MANIFEST_FILE)));
    assert_eq!(codes(&findings), [Code::NothingMatched]);
    let dataset = Dataset::load(&Tree::Folder(out.clone()), ".").unwrap();
    let names: Vec<&str> = dataset.fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["Probe_1", "b"]);
    let loaded_field = dataset.fields()[0].open(&Tree::Folder(out.clone())).unwrap();
    assert_eq!((loaded_field.image, loaded_field.truth), (drawing.image, Some(drawing.truth)));
    assert_eq!(std::fs::read(out.join("original/Probe_1.png")).unwrap(), image);
    assert!(matches!(preparation(&images, &masks).write(&out, "mine"), Err(StoreError::Exists(_))));
}

#[test]
fn histograms_and_sizes_are_prepared_with_the_masks() {
    let folder = tempfile::tempdir().unwrap();
    let (images, masks) = (folder.path().join("in"), folder.path().join("truth"));
    for path in [&images, &masks] {
        std::fs::create_dir(path).unwrap();
    }
    let samples = vec![10, 10, 20, 20, 10, 10, 20, 20];
    let image = Image::Gray8(Raster::from_samples(4, 2, samples).unwrap());
    let mask = Labels::from_samples(4, 2, vec![1, 1, 2, 2, 1, 1, 2, 2]).unwrap();
    std::fs::write(images.join("a.png"), encode_image(&image, None).unwrap()).unwrap();
    std::fs::write(masks.join("a_mask.png"), encode_labels(&mask).unwrap()).unwrap();
    let prepare = |name: &str, histogram: Histogram, size: Size| {
        let out = folder.path().join(name);
        let preparation =
            Preparation { steps: Steps { histogram, size }, ..preparation(&images, &masks) };
        let (manifest, findings) = preparation.write(&out, name).unwrap();
        assert!(manifest.is_some(), "{findings:?}");
        let tree = Tree::Folder(out);
        Dataset::load(&tree, ".").unwrap().fields()[0].open(&tree).unwrap()
    };
    let half = prepare("half", Histogram::Equalized, Size::Px { width: 2, height: 1 });
    assert_eq!(half.image, Image::Gray8(Raster::from_samples(2, 1, vec![0, 255]).unwrap()));
    assert_eq!(half.truth, Labels::from_samples(2, 1, vec![1, 2]));
    assert_eq!(half.pixel_size, PixelSize::from_um(1.0));
    let fine = Size::Pixel(PixelSize::from_um(0.25).unwrap());
    let fine = prepare("fine", Histogram::Kept, fine);
    assert_eq!((fine.image.width(), fine.pixel_size), (8, PixelSize::from_um(0.25)));
    let stretched = prepare("bent", Histogram::Kept, Size::Px { width: 4, height: 8 });
    assert_eq!(stretched.pixel_size, None, "it is another one across than down");
}

#[test]
fn groups_of_a_table_come_into_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("in");
    std::fs::create_dir(&images).unwrap();
    for (value, name) in [(1, "a.png"), (2, "b c.png"), (3, "d.png")] {
        let image = Image::Gray8(Raster::filled(5, 3, value));
        std::fs::write(images.join(name), encode_image(&image, None).unwrap()).unwrap();
    }
    let table = folder.path().join("groups.csv");
    std::fs::write(&table, "name,group\na,slide 1\nb_c,slide 1\nz,slide 2\n").unwrap();
    let base = Preparation { masks: None, ..preparation(&images, &images) };
    let out = folder.path().join("out");
    let grouped = Preparation { groups: Some(table), ..base };
    let (manifest, findings) = grouped.write(&out, "mine").unwrap();
    assert!(manifest.is_some());
    assert_eq!(codes(&findings), [Code::NothingMatched]);
    let dataset = Dataset::load(&Tree::Folder(out), ".").unwrap();
    let groups: Vec<_> = dataset.fields().iter().map(|field| field.group.as_deref()).collect();
    assert_eq!(groups, [Some("slide 1"), Some("slide 1"), None]);
}

/// A gray TIFF of 2 by 2 pixels.
fn encode_labels_as_tiff() -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
    encoder.write_image::<tiff::encoder::colortype::Gray8>(2, 2, &[1, 2, 3, 4]).unwrap();
    file.into_inner()
}

#[test]
fn binary_masks_are_numbered_on_request_and_refused_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let (images, masks) = (folder.path().join("in"), folder.path().join("truth"));
    for path in [&images, &masks] {
        std::fs::create_dir(path).unwrap();
    }
    let image = Image::Gray8(Raster::filled(5, 3, 9));
    let mask = Image::Gray8(Raster::from_fn(5, 3, |x, _| if x == 2 { 0 } else { 255 }));
    std::fs::write(images.join("a.png"), encode_image(&image, None).unwrap()).unwrap();
    std::fs::write(masks.join("a.png"), encode_image(&mask, None).unwrap()).unwrap();
    let out = folder.path().join("out");
    let preparation = preparation(&images, &masks);
    let (manifest, findings) = preparation.write(&out, "mine").unwrap();
    assert_eq!((manifest, codes(&findings)), (None, vec![Code::MaskNotLabels]));
    assert!(!out.exists());
    let binary = Preparation { has_binary_masks: true, ..preparation };
    assert!(binary.write(&out, "mine").unwrap().0.is_some());
    let dataset = Dataset::load(&Tree::Folder(out.clone()), ".").unwrap();
    let truth = dataset.fields()[0].open(&Tree::Folder(out)).unwrap().truth.unwrap();
    assert_eq!(truth.row(1), [1, 1, 0, 2, 2]);
}
