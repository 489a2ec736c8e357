//! Stages: each key of a profile repeats the stages that read it, and no other.

use crate::tiny_network::{FORM, brighter_than};
use cellgate_core::digest::Digest;
use cellgate_core::profile::keys::{Stage, all, first_difference, path_of};
use cellgate_core::profile::{
    Channel, MeasureGroup, Method, Modality, Normalization, Profile, Separation, Suppression, Unet,
    UpSampling,
};
use cellgate_core::segment::{Stages, Subject, segment};
use cellgate_core::unet;
use cellgate_core::unet::plan::Network;
use cellgate_core::unet::weights::Weights;
use cellgate_core::units::{Area, Length, PixelSize};
use cellgate_inputs::dataset::phantom::Phantom;
use cellgate_inputs::params::{Params, SCHEMA, of_text};
use cellgate_inputs::source::Source;
use std::collections::BTreeSet;

const CLASSICAL: [Stage; 7] = [
    Stage::Signal,
    Stage::Background,
    Stage::Smooth,
    Stage::Threshold,
    Stage::Mask,
    Stage::Split,
    Stage::Clean,
];
const NETWORK: [Stage; 2] = [Stage::Prediction, Stage::Decode];

/// A key, and how base and head write it, with the keys that it needs beside it.
type Change = (&'static str, &'static str, &'static str);

/// The image of profiles that name none.
const IMAGE: &str = "image: {modality: ihc_hdab, pixel_size_um: 0.5}";

/// Changes of every key that the classical path reads, by the first stage that does.
const CHANGES: [(Option<Stage>, &[Change]); 8] = [
    (
        Some(Stage::Signal),
        &[
            (
                "image.modality",
                "image: {modality: ihc_hdab, pixel_size_um: 0.5}\ndetection: {channel: od_sum}",
                "image: {modality: he, pixel_size_um: 0.5}\ndetection: {channel: od_sum}",
            ),
            ("image.pixel_size_um", IMAGE, "image: {modality: ihc_hdab, pixel_size_um: 0.4}"),
            (
                "image.working_pixel_size_um",
                IMAGE,
                "image: {modality: ihc_hdab, pixel_size_um: 0.5, working_pixel_size_um: 1}",
            ),
            ("stains.hematoxylin", "", "stains: {hematoxylin: [0.6, 0.7, 0.3]}"),
            ("stains.dab", "", "stains: {dab: [0.3, 0.6, 0.8]}"),
            (
                "stains.eosin",
                "image: {modality: he, pixel_size_um: 0.5}",
                "image: {modality: he, pixel_size_um: 0.5}\nstains: {eosin: [0.2, 0.8, 0.6]}",
            ),
            ("stains.background", "", "stains: {background: [250, 250, 250]}"),
            ("detection.channel", "", "detection: {channel: hematoxylin_od}"),
        ],
    ),
    (
        Some(Stage::Background),
        &[
            ("background.method", "", "background: {method: opening, radius_um: 10}"),
            (
                "background.radius",
                "background: {method: opening, radius_um: 10}",
                "background: {method: opening, radius_um: 11}",
            ),
            ("smoothing.median_radius", "", "smoothing: {median_radius_px: 1}"),
        ],
    ),
    (
        Some(Stage::Smooth),
        &[
            ("smoothing.sigma", "", "smoothing: {sigma_um: 0.6}"),
            (
                "smoothing.sigma",
                "split: {method: log}",
                "split: {method: log}\nsmoothing: {sigma_um: 1}",
            ),
        ],
    ),
    (
        Some(Stage::Threshold),
        &[
            ("threshold.method", "", "threshold: {method: li}"),
            (
                "threshold.value",
                "threshold: {method: manual, value: 0.4}",
                "threshold: {method: manual, value: 0.5}",
            ),
            ("threshold.correction_factor", "", "threshold: {correction_factor: 0.9}"),
            ("threshold.bounds", "", "threshold: {bounds: [0.1, 3]}"),
            (
                "threshold.window",
                "threshold: {method: sauvola}",
                "threshold: {method: sauvola, window_um: 20}",
            ),
            ("threshold.k", "threshold: {method: sauvola}", "threshold: {method: sauvola, k: 0.1}"),
            (
                "threshold.global_fraction",
                "threshold: {method: local_mean}",
                "threshold: {method: local_mean, global_fraction: 0.5}",
            ),
            (
                "threshold.middle_class",
                "threshold: {method: otsu3}",
                "threshold: {method: otsu3, middle_class: background}",
            ),
            ("threshold.log_transform", "", "threshold: {log_transform: true}"),
        ],
    ),
    (
        Some(Stage::Mask),
        &[
            ("morphology.open_radius", "", "morphology: {open_radius_um: 1}"),
            ("morphology.close_radius", "", "morphology: {close_radius_um: 1}"),
            ("morphology.fill_holes_max_area", "", "morphology: {fill_holes_max_area_um2: 5}"),
            ("morphology.min_area", "", "morphology: {min_area_um2: 12}"),
        ],
    ),
    (
        Some(Stage::Split),
        &[
            ("split.method", "", "split: {method: none}"),
            ("split.method", "split: {h: 0.02}", "split: {method: intensity, h: 0.02}"),
            ("split.suppression", "", "split: {suppression_um: 3}"),
            ("split.suppression", "split: {suppression_um: 3}", "split: {suppression_um: 2}"),
            ("split.h", "", "split: {h: 1.5}"),
            (
                "split.h",
                "split: {method: intensity, h: 0.02}",
                "split: {method: intensity, h: 0.05}",
            ),
            ("split.log_sigma", "split: {method: log}", "split: {method: log, log_sigma_um: 2}"),
        ],
    ),
    (
        Some(Stage::Clean),
        &[
            ("morphology.max_area", "", "morphology: {max_area_um2: 150}"),
            ("morphology.exclude_border", "", "morphology: {exclude_border: true}"),
            (
                "morphology.max_area",
                "split: {method: log}",
                "split: {method: log}\nmorphology: {max_area_um2: 150}",
            ),
        ],
    ),
    (
        None,
        &[
            ("description", "", "description: other words"),
            (
                "classify.measurement",
                "classify: {measurement: dab_od_mean, thresholds: [0.2]}",
                "classify: {measurement: dab_od_max, thresholds: [0.2]}",
            ),
            (
                "classify.thresholds",
                "classify: {measurement: dab_od_mean, thresholds: [0.2]}",
                "classify: {measurement: dab_od_mean, thresholds: [0.3]}",
            ),
            ("measure", "", "measure: [shape]"),
        ],
    ),
];

/// Keys that every file has the same: its kind, its name and its method, which is another path.
const NOT_CHANGED: [&str; 3] = ["schema", "name", "method"];

fn read(lines: &str) -> Params {
    let image = if lines.contains("image:") { "" } else { IMAGE };
    let text = format!("schema: {SCHEMA}\nname: p\n{image}\n{lines}\n");
    let loaded = of_text(&Source::new("p.yaml", &*text));
    loaded.unwrap_or_else(|findings| panic!("{text}{findings:#?}")).params
}

/// The keys of the table, by sections that a test is about.
fn keys(is_wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let all = all().map(|(section, key)| path_of(section, key));
    all.filter(|path| is_wanted(path) && !NOT_CHANGED.contains(&path.as_str())).collect()
}

#[test]
fn a_changed_key_repeats_the_stages_from_its_own_on() {
    let image = Phantom::new(Modality::IhcHdab, 2).draw().image;
    let digest = Digest::of_bytes(b"phantom 2");
    let mut changed = BTreeSet::new();
    for (stage, changes) in CHANGES {
        let expected: Vec<Stage> =
            CLASSICAL.into_iter().filter(|&one| stage.is_some_and(|stage| stage <= one)).collect();
        for (path, base, head) in changes {
            let (base, head) = (read(base), read(head));
            let mut stages = Stages::with_cache();
            let mut run = |params: &Params| {
                let pixel_size = params.image.pixel_size;
                let labels = stages.segment(Subject { image: &image, digest, pixel_size }, params);
                assert!(labels == segment(&image, params, pixel_size), "{path}");
                stages.ran().to_vec()
            };
            assert_eq!(run(&base), CLASSICAL, "{path}");
            assert_eq!(run(&base), [], "{path}");
            assert_eq!(run(&head), expected, "{path}");
            assert_eq!(run(&base), expected, "{path}");
            let is_measured = path.starts_with("measure") || path.starts_with("classify");
            let first = stage.or(is_measured.then_some(Stage::Measure));
            assert_eq!(first_difference(&base, &head), first, "{path}");
            changed.insert((*path).to_owned());
        }
    }
    assert_eq!(changed, keys(|path| !path.starts_with("unet")), "each key is changed");
}

#[test]
fn stages_that_are_not_kept_are_run_again() {
    let image = Phantom::new(Modality::IhcHdab, 2).draw().image;
    let digest = Digest::of_bytes(b"phantom 2");
    for split in
        ["split: {method: shape}", "split: {method: intensity, h: 0.02}", "split: {method: log}"]
    {
        let params = read(split);
        let pixel_size = params.image.pixel_size;
        for (index, stage) in CLASSICAL.into_iter().enumerate() {
            let mut stages = Stages::with_cache_before(stage);
            let mut run = |digest: Digest| {
                let labels = stages.segment(Subject { image: &image, digest, pixel_size }, &params);
                assert!(labels == segment(&image, &params, pixel_size), "{split}");
                stages.ran().to_vec()
            };
            assert_eq!(run(digest), CLASSICAL, "{split}");
            // A split that follows an earlier signal needs that again where it was not kept.
            let again = run(digest);
            assert_eq!(
                again[again.len() - (7 - index)..],
                CLASSICAL[index..],
                "{split}, {stage:?}"
            );
            assert_eq!(run(Digest::of_bytes(b"another image")), CLASSICAL, "{split}");
        }
    }
}

/// A key, and a change of it.
type NetworkChange = (&'static str, fn(&mut Profile, &mut Unet));

/// Changes of every key that a network's path reads, by the first stage that does.
const NETWORK_CHANGES: [(Option<Stage>, &[NetworkChange]); 3] = [
    (
        Some(Stage::Prediction),
        &[
            ("image.working_pixel_size_um", |profile, _| {
                profile.image.working_pixel_size = PixelSize::from_um(1.0);
            }),
            ("unet.weights_sha256", |_, unet| unet.weights = Digest::of_bytes(b"others")),
            ("unet.channels", |_, unet| unet.channels[0] = Channel::OdSum),
            ("unet.depth", |_, unet| unet.depth = 2),
            ("unet.base_width", |_, unet| unet.base_width = 16),
            ("unet.normalization", |_, unet| unet.normalization = Normalization::Batch),
            ("unet.up_sampling", |_, unet| unet.up_sampling = UpSampling::Transposed),
            ("unet.mirror_averaging", |_, unet| unet.mirror_averaging = true),
            ("unet.tile_px", |_, unet| unet.tile_px = 512),
        ],
    ),
    (
        Some(Stage::Decode),
        &[
            ("unet.separation", |_, unet| unet.separation = Separation::Boundary),
            ("unet.nucleus_threshold", |_, unet| unet.nucleus_threshold = 0.4),
            ("unet.h", |_, unet| unet.h = 0.1),
            ("unet.suppression", |_, unet| {
                unet.suppression = Suppression::Distance(Length::Px(3.0));
            }),
            ("morphology.min_area", |profile, _| profile.morphology.min_area = Area::Px2(30.0)),
            ("morphology.exclude_border", |profile, _| profile.morphology.exclude_border = true),
        ],
    ),
    (
        None,
        &[
            ("unet.model", |_, unet| unet.model = "renamed".to_owned()),
            ("measure", |profile, _| profile.measure = vec![MeasureGroup::Shape]),
        ],
    ),
];

#[test]
fn a_network_answers_again_only_where_it_is_asked_something_else() {
    let image = Phantom::new(Modality::IhcHdab, 2).draw().image;
    let model = brighter_than(0.4);
    let network = Network::new(&Weights::read(&model.bytes).unwrap());
    let lines =
        format!("method: unet\nunet: {{model: tiny, weights_sha256: {}, {FORM}}}", model.sha256);
    let base: &Profile = &read(&lines);
    let pixel_size = base.image.pixel_size;
    let mut changed = BTreeSet::new();
    for (stage, changes) in NETWORK_CHANGES {
        let expected: Vec<Stage> =
            NETWORK.into_iter().filter(|&one| stage.is_some_and(|stage| stage <= one)).collect();
        for (path, change) in changes {
            let mut unet = base.unet().unwrap().clone();
            let mut head = base.clone();
            change(&mut head, &mut unet);
            head.method = Method::Unet(unet);
            let mut stages = Stages::with_cache();
            let mut run = |profile: &Profile| {
                let subject = Subject { image: &image, digest: model.sha256, pixel_size };
                let labels = stages.segment_with(subject, profile, &network);
                assert!(labels == unet::segment(&image, profile, &network, pixel_size), "{path}");
                (stages.ran().to_vec(), labels.is_ok())
            };
            assert_eq!(run(base), (NETWORK.to_vec(), true), "{path}");
            // A network of another form is refused before it is asked.
            let fits = unet::check(head.unet().unwrap(), &network).is_ok();
            let expected = if fits { expected.clone() } else { Vec::new() };
            assert_eq!(run(&head), (expected, fits), "{path}");
            changed.insert((*path).to_owned());
        }
    }
    let of_unet = keys(|path| path.starts_with("unet"));
    assert!(of_unet.is_subset(&changed), "{of_unet:?}");
}
