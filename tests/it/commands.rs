//! Commands, one by one: their files, their output and their exit codes.

use crate::repository::cellgate;
use crate::test_folder::{TestFolder, phantom, profile, truth};
use cellgate_core::raster::Image;
use cellgate_inputs::dataset::decode::{decode, decode_labels};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

const IHC: &str = "src/demo/ihc-hdab.yaml";
const FLUORESCENCE: &str = "src/demo/fluorescence.yaml";

/// The columns of a table, by the contract, of an IHC profile with a known pixel size.
const IHC_COLUMNS: &str = "field,label,centroid_x_px,centroid_x_um,centroid_y_px,centroid_y_um,\
bbox_x0_px,bbox_x0_um,bbox_y0_px,bbox_y0_um,bbox_x1_px,bbox_x1_um,bbox_y1_px,bbox_y1_um,\
area_px2,area_um2,perimeter_px,perimeter_um,circularity,axis_major_px,axis_major_um,\
axis_minor_px,axis_minor_um,eccentricity,orientation_rad,equivalent_diameter_px,\
equivalent_diameter_um,solidity,extent,feret_max_px,feret_max_um,feret_min_px,feret_min_um,\
euler_number,touches_border,\
hematoxylin_od_mean,hematoxylin_od_std,hematoxylin_od_min,hematoxylin_od_max,\
hematoxylin_od_sum,dab_od_mean,dab_od_std,dab_od_min,dab_od_max,dab_od_sum,class";

#[test]
fn segment_writes_labels_tables_and_a_record() {
    let folder = TestFolder::new();
    let (profile, image) = (profile(IHC), phantom("ihc-hdab-1"));
    let options = ["--overlay", "--geojson"];
    let arguments = ["segment", "--profile", &profile, "--out", "out", &image];
    folder.check(&[&arguments[..], &options].concat(), 0, "nuclei in 1 field, written");
    assert_eq!(
        folder.files(),
        [
            "out/fields.csv",
            "out/ihc-hdab-1.geojson",
            "out/ihc-hdab-1_labels.png",
            "out/ihc-hdab-1_overlay.png",
            "out/nuclei.csv",
            "out/run.json",
        ],
        "and nothing that was only needed on the way"
    );
    let table = folder.text("out/nuclei.csv");
    let mut lines = table.lines();
    assert_eq!(lines.next().unwrap(), IHC_COLUMNS);
    let n_nuclei = lines.count();
    let labels = std::fs::read(folder.path("out/ihc-hdab-1_labels.png")).unwrap();
    let labels = decode_labels("labels", &labels).unwrap();
    assert_eq!(labels.samples().iter().max().copied(), Some(n_nuclei as u32));
    let fields = folder.text("out/fields.csv");
    let columns = "field,width_px,height_px,nuclei,density_per_mm2,area_fraction,\
        positive_percent,h_score,allred,brightness_mean";
    assert!(fields.starts_with(columns), "{fields}");
    let record = folder.json("out/run.json");
    assert_eq!(
        (&record["schema"], &record["profile"]),
        (&"cellgate/run/v1".into(), &"ihc-hdab".into())
    );
    assert_eq!(record["fields"][0]["nuclei"], n_nuclei);
    let outlines = folder.json("out/ihc-hdab-1.geojson");
    assert_eq!(outlines["features"].as_array().unwrap().len(), n_nuclei);
}

#[test]
fn measuring_segments_labels_gives_segments_table() {
    let folder = TestFolder::new();
    for (source, name) in [(IHC, "ihc-hdab-1"), (FLUORESCENCE, "fluorescence-1")] {
        let (profile, image) = (profile(source), phantom(name));
        folder.check(&["segment", "--profile", &profile, "--out", name, &image], 0, "");
        let labels = format!("{name}/{name}_labels.png");
        let arguments = ["measure", "--labels", &labels, "--image", &image, "--profile", &profile];
        let output = folder.check(&arguments, 0, "");
        assert_eq!(output.out, folder.text(&format!("{name}/nuclei.csv")));
        folder.check(&[&arguments[..], &["--out", "table.csv"]].concat(), 0, "");
        assert_eq!(output.out, folder.text("table.csv"));
    }
}

#[test]
fn truth_agrees_with_itself() {
    let folder = TestFolder::new();
    let arguments = ["evaluate", "--truth", &truth(), "--labels", &truth(), "--format", "json"];
    let output = folder.check(&arguments, 0, "");
    let document: Value = serde_json::from_str(&output.out).unwrap();
    for score in ["f1_at_50", "ap_at_50", "map", "aji", "pq", "dice"] {
        assert_eq!(document["mean"][score], 1.0, "{score}");
    }
    assert_eq!(document["fields"].as_array().unwrap().len(), 3);
    folder.check(&["evaluate", "--truth", &truth(), "--labels", &truth()], 0, "f1_at_50");
}

#[test]
fn a_truth_without_labels_is_a_finding() {
    let folder = TestFolder::new();
    let truth = truth();
    let mask = format!("{truth}/he-1_mask.png");
    folder.write("labels/he-1_labels.png", &std::fs::read(mask).unwrap());
    let arguments = ["evaluate", "--truth", &truth, "--labels", "labels"];
    folder.check(&arguments, 10, "there are no labels for `fluorescence-1`");
}

#[test]
fn validate_tells_all_problems_in_every_form() {
    let folder = TestFolder::new();
    folder.check(&["validate", &profile("params")], 0, "no findings");
    let bad = "schema: cellgate/profile/v1\nname: bad\nimage: {modality: hee}\nsmoth: 1\n";
    folder.write("params/bad.yaml", bad.as_bytes());
    folder.check(&["validate"], 10, "params/bad.yaml:3:");
    folder.check(&["validate", "params/*.yaml"], 10, "params/bad.yaml:4:");
    folder.check(
        &["validate", "params/bad.yaml", "--format", "github"],
        10,
        "::error file=params/bad.yaml",
    );
    for format in ["json", "sarif"] {
        let output = folder.check(&["validate", "--format", format], 10, "bad.yaml");
        assert!(serde_json::from_str::<Value>(&output.out).is_ok(), "{format}");
    }
    folder.check(&["validate", "--format", "junit"], 10, "<testsuites");
}

#[test]
fn validate_without_anything_has_nothing_to_check() {
    TestFolder::new().check(&["validate"], 3, "");
}

#[test]
fn every_schema_is_one() {
    let folder = TestFolder::new();
    for file in ["profile", "project", "tolerances", "dataset"] {
        let output = folder.check(&["schema", file], 0, "");
        let schema: Value = serde_json::from_str(&output.out).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{file}");
    }
    folder.check(&["schema", "profile", "--format", "markdown"], 0, "# Profiles");
    folder.check(&["schema", "project", "--format", "markdown"], 2, "`profile` alone");
}

#[test]
fn a_drawn_dataset_is_sound_and_never_overwritten() {
    let folder = TestFolder::new();
    let phantom = ["dataset", "phantom", "--out", "d", "--modality", "he", "--n-fields", "3"];
    folder.check(&phantom, 0, "d/dataset.yaml");
    folder.check(&["dataset", "check", "d"], 0, "3 fields, digest");
    folder.check(&phantom, 1, "");
    folder.check(&["dataset", "split", "d", "--test-fraction", "0.4"], 0, "split: train");
    let mut image = std::fs::read(folder.path("d/original/he-2.png")).unwrap();
    *image.last_mut().unwrap() ^= 1;
    folder.write("d/original/he-2.png", &image);
    folder.check(&["dataset", "check", "d"], 10, "digest");
}

#[test]
fn prepared_images_can_be_gated() {
    let folder = TestFolder::new();
    folder.write("images/a.png", &std::fs::read(phantom("he-1")).unwrap());
    let mask = format!("{}/he-1_mask.png", truth());
    folder.write("truth/a_mask.png", &std::fs::read(mask).unwrap());
    let arguments = ["dataset", "prepare", "images", "--masks", "truth", "--out", "d"];
    folder.check(&[&arguments[..], &["--image-type", "he"]].concat(), 0, "d/dataset.yaml");
    folder.check(&["dataset", "check", "d"], 0, "1 fields");
}

#[test]
fn the_demo_passes_a_good_change_and_stops_a_drifting_one() {
    let folder = TestFolder::new();
    let output =
        folder.check(&["demo", "--quiet", "--out", "demo"], 0, "the drifting one is stopped");
    assert!(output.err.is_empty(), "{}", output.err);
    for (story, code) in [("good", 0), ("drifting", 11)] {
        let report = folder.json(&format!("demo/{story}/cellgate-report/report.json"));
        assert_eq!(report["exit_code"], code, "{story}");
        assert_eq!(report["findings"].as_array().unwrap().len(), 0, "{story}");
    }
    let drifting = folder.text("demo/drifting/cellgate-report/report.md");
    assert!(drifting.contains("away from truth"), "{drifting}");
    for says in [
        "the good change, approved:",
        "refused (exit code 20)",
        "profile `ihc-hdab` differs from what ada@example.org approved",
        "is active again, nothing sent",
        "every deployed byte is what was deployed",
    ] {
        assert!(output.out.contains(says), "no `{says}`: {}", output.out);
    }
    let deployed = folder.text("demo/server/current/params/fluorescence.yaml");
    assert!(deployed.contains("sigma_um: 0.50"), "the way back was not taken: {deployed}");
    let previous = folder.text("demo/server/previous/params/fluorescence.yaml");
    assert!(previous.contains("sigma_um: 0.52"), "the good change was not deployed: {previous}");
}

#[test]
fn the_demo_leaves_a_repository_alone_that_git_is_pointed_to() {
    let folder = TestFolder::new();
    let mut demo = crate::repository::cellgate(folder.folder.path());
    demo.args(["demo", "--quiet", "--out", "demo"]).env("GIT_DIR", folder.path("mine.git"));
    let output = crate::repository::Told::of(demo.output().unwrap());
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("`GIT_DIR` points git to another repository"), "{}", output.out);
    assert!(!folder.path("mine.git").exists() && !folder.path("demo/repository").exists());
}

const LENGTHS_IN_UM: &str = "schema: cellgate/profile/v1\nname: p\nimage: {modality: fluorescence}\nsmoothing: {sigma_um: 1}\n";
const LENGTHS_IN_PX: &str = "schema: cellgate/profile/v1\nname: p\nimage: {modality: fluorescence}\n\
    smoothing: {sigma_px: 1}\nmorphology: {min_area_px2: 20, fill_holes_max_area_px2: 20}\n";

/// An image without a pixel size of its own.
fn bare_image(folder: &TestFolder) -> String {
    let samples =
        std::iter::repeat_n([40_u8, 40, 200, 200, 40, 40, 40, 40], 64).flatten().collect();
    let image = image::GrayImage::from_raw(16, 32, samples).unwrap();
    image.save(folder.path("bare.png")).unwrap();
    "bare.png".to_owned()
}

#[test]
fn the_pixel_size_is_asked_for_where_lengths_need_it() {
    let folder = TestFolder::new();
    let image = bare_image(&folder);
    folder.write("p.yaml", LENGTHS_IN_UM.as_bytes());
    let arguments = ["segment", "--profile", "p.yaml", "--out", "out", &image];
    folder.check(&arguments, 10, "pixel-size-missing");
    let size =
        |folder: &TestFolder| folder.json("out/run.json")["fields"][0]["pixel_size_um"].clone();
    folder.check(&[&arguments[..], &["--pixel-size-um", "0.25"]].concat(), 0, "");
    assert_eq!(size(&folder), 0.25);
    folder.write("p.yaml", LENGTHS_IN_PX.as_bytes());
    folder.check(&arguments, 0, "");
    assert_eq!(size(&folder), Value::Null);
    folder.check(&[&arguments[..], &["--pixel-size-um", "0"]].concat(), 2, "micrometers");
}

#[test]
fn the_command_line_comes_before_the_image_file() {
    let folder = TestFolder::new();
    let (profile, image) = (profile(FLUORESCENCE), phantom("fluorescence-1"));
    let arguments = ["segment", "--profile", &profile, "--out", "out", &image];
    let output = folder.check(&arguments, 0, "");
    assert!(!output.out.contains("pixel-size"), "{}", output.out);
    let other = [&arguments[..], &["--pixel-size-um", "0.4"]].concat();
    folder.check(&other, 0, "pixel-size-conflict");
    assert_eq!(folder.json("out/run.json")["fields"][0]["pixel_size_um"], 0.4);
    let near = [&arguments[..], &["--pixel-size-um", "0.504"]].concat();
    let output = folder.check(&near, 0, "");
    assert!(!output.out.contains("pixel-size-conflict"), "{}", output.out);
}

#[test]
fn tiff_and_jpeg_are_read_and_depth_is_kept() {
    let folder = TestFolder::new();
    let bytes = std::fs::read(phantom("fluorescence-1")).unwrap();
    let Image::Gray8(shallow) = decode("phantom", &bytes).unwrap().image else {
        panic!("fluorescence phantoms have 8 bit")
    };
    // Every value of 16 bit that stands for one of 8, so that both must give the same nuclei.
    let samples: Vec<u16> = shallow.samples().iter().map(|&value| u16::from(value) * 257).collect();
    let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(
        shallow.width(),
        shallow.height(),
        samples,
    );
    deep.unwrap().save(folder.path("deep.tif")).unwrap();
    let he = image::open(phantom("he-1")).unwrap();
    he.save(folder.path("he.jpg")).unwrap();
    let found = |folder: &TestFolder| folder.json("out/run.json")["fields"][0]["nuclei"].clone();
    let fluorescence = profile(FLUORESCENCE);
    folder.check(&["segment", "--profile", &fluorescence, "--out", "out", "deep.tif"], 0, "");
    let from_tiff = found(&folder);
    let png = phantom("fluorescence-1");
    folder.check(&["segment", "--profile", &fluorescence, "--out", "out", &png], 0, "");
    assert_eq!(from_tiff, found(&folder));
    let he = profile("src/demo/he.yaml");
    folder.check(&["segment", "--profile", &he, "--out", "out", "he.jpg"], 0, "");
    assert!(10 < found(&folder).as_u64().unwrap());
}

#[test]
fn a_gray_image_is_no_brightfield() {
    let folder = TestFolder::new();
    let (profile, image) = (profile(IHC), phantom("fluorescence-1"));
    let arguments = ["segment", "--profile", &profile, "--out", "out", &image];
    folder.check(&arguments, 10, "image-modality");
}

#[test]
fn segmenting_without_a_network_starts_no_other_program() {
    let folder = TestFolder::new();
    folder.write("bin/git", b"#!/bin/sh\n: > started\n");
    let git = folder.path("bin/git");
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (profile, image) = (profile(IHC), phantom("ihc-hdab-1"));
    let mut command = cellgate(folder.folder.path());
    command.args(["segment", "--profile", &profile, "--out", "out", &image]);
    assert!(command.env("PATH", folder.path("bin")).status().unwrap().success());
    assert!(!folder.path("started").exists());
}

#[test]
fn nothing_to_segment_is_told() {
    let folder = TestFolder::new();
    std::fs::create_dir(folder.path("empty")).unwrap();
    let profile = profile(FLUORESCENCE);
    let segment = ["segment", "--profile", &profile, "--out", "out"];
    folder.check(&[&segment[..], &["empty"]].concat(), 3, "`empty` matches no image");
    folder.check(&[&segment[..], &["empty/*.png"]].concat(), 3, "matches no image");
    folder.check(&[&segment[..], &["nowhere.png"]].concat(), 10, "`nowhere.png` does not exist");
    folder.check(&segment, 2, "IMAGE");
    assert!(folder.files().is_empty());
}

#[test]
fn a_bad_image_does_not_stop_the_others() {
    let folder = TestFolder::new();
    folder.write("in/bad.png", b"no image");
    folder.write("in/good.png", &std::fs::read(phantom("fluorescence-1")).unwrap());
    let profile = profile(FLUORESCENCE);
    let arguments = ["segment", "--profile", &profile, "--out", "out", "in"];
    let output = folder.check(&arguments, 10, "in/bad.png");
    assert!(output.out.contains("nuclei in 1 of 2 fields, written to out"), "{}", output.out);
    assert!(
        folder.path("out/good_labels.png").is_file() && !folder.path("out/bad_labels.png").exists()
    );
}

#[test]
fn images_that_are_all_bad_leave_the_tables_of_a_former_run() {
    let folder = TestFolder::new();
    folder.write("in/bad.png", b"no image");
    folder.write("in/worse.tif", b"nor this");
    folder.write("out/nuclei.csv", b"former");
    let profile = profile(FLUORESCENCE);
    let output =
        folder.check(&["segment", "--profile", &profile, "--out", "out", "in"], 10, "in/bad.png");
    assert!(
        output.err.contains("in/worse.tif") && !output.out.contains("written"),
        "{}",
        output.out
    );
    assert_eq!(folder.files(), ["in/bad.png", "in/worse.tif", "out/nuclei.csv"]);
    assert_eq!(folder.text("out/nuclei.csv"), "former");
}

#[test]
fn two_images_of_one_name_are_refused() {
    let folder = TestFolder::new();
    let image = std::fs::read(phantom("fluorescence-1")).unwrap();
    folder.write("a/one.png", &image);
    folder.write("b/one.png", &image);
    let profile = profile(FLUORESCENCE);
    let arguments = ["segment", "--profile", &profile, "--out", "out", "a", "b"];
    folder.check(&arguments, 2, "would both be written as field `one`");
}

#[test]
fn a_folder_that_cannot_be_written_is_a_failure_of_the_tool() {
    let folder = TestFolder::new();
    folder.write("file", b"");
    let (profile, image) = (profile(FLUORESCENCE), phantom("fluorescence-1"));
    let arguments = ["segment", "--profile", &profile, "--out", "file/out", &image];
    folder.check(&arguments, 1, "file/out");
}

#[test]
fn quiet_prints_results_alone() {
    let folder = TestFolder::new();
    let (profile, image) = (profile(FLUORESCENCE), phantom("fluorescence-1"));
    let output =
        folder.check(&["segment", "--quiet", "--profile", &profile, "--out", "out", &image], 0, "");
    assert_eq!((output.out.lines().count(), output.err.as_str()), (1, ""), "{}", output.out);
}

#[test]
fn a_reader_that_stops_reading_changes_no_exit_code() {
    let folder = TestFolder::new();
    folder.write("params/bad.yaml", b"schema: cellgate/profile/v1\n");
    for (arguments, code) in [(["schema", "profile"], 0), (["validate", "params/bad.yaml"], 10)] {
        let mut command = cellgate(folder.folder.path());
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(code), ""), "{arguments:?}");
    }
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let folder = TestFolder::new();
    let commands = "demo|validate|schema|dataset check|dataset phantom|dataset prepare|\
        dataset split|segment|measure|evaluate|gate";
    for command in commands.split('|') {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        folder.check(&arguments, 0, &format!("cellgate {command}"));
        folder.check(&arguments, 0, "Example");
    }
    folder.check(&["--help"], 0, "Exit codes");
    folder.check(&["frobnicate"], 2, "unrecognized subcommand");
}

#[cfg(not(feature = "train"))]
#[test]
fn without_training_built_in_the_command_says_how_to_have_it() {
    let folder = TestFolder::new();
    folder.check(&["train", "--data", "d", "--out", "o"], 1, "--features train");
}
