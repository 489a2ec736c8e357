//! A network set by hand: bright pixels are nuclei, and the brighter the deeper.

use super::picture::pictures;
use super::report::{Report, SCHEMA};
use super::search::{Choice, Grid, choose_decoder};
use super::*;
use crate::sample::tests::sample_of;
use cellgate_core::profile::{Channel, Normalization, UpSampling};
use cellgate_core::raster::{Image, Raster};
use cellgate_core::unet::architecture::Architecture;
use cellgate_core::unet::input::{InputScaling, Planes};
use cellgate_core::unet::weights::Weights;

/// Nuclei are where the scaled brightness is above one half.
fn network() -> Network {
    let architecture = Architecture {
        in_channels: 3,
        base_width: 8,
        depth: 1,
        normalization: Normalization::None,
        up_sampling: UpSampling::Nearest,
    };
    let zeros = |shape: &[usize]| vec![0.0; shape.iter().product()];
    let mut tensors: BTreeMap<String, Vec<f32>> =
        architecture.tensors().into_iter().map(|spec| (spec.name, zeros(&spec.shape))).collect();
    let mut set = |name: &str, at: usize, value| tensors.get_mut(name).unwrap()[at] = value;
    // The middle tap of the first channel passes on what comes.
    for name in ["encoder.0.conv1", "encoder.0.conv2", "decoder.0.conv1", "decoder.0.conv2"] {
        set(&format!("{name}.weight"), 4, 1.0);
    }
    set("head.weight", 0, 20.0);
    set("head.bias", 0, -10.0);
    set("head.bias", 1, -20.0);
    set("head.weight", 16, 1.0);
    Network::new(&Weights::new(architecture, InputScaling::default(), tensors).unwrap())
}

/// Six disks on a dark ground, each of its own brightness; the last two touch.
fn disks(name: &str, image_type: &str, brightness: [u16; 6]) -> Sample {
    let centers = [(14, 14), (50, 14), (86, 14), (14, 50), (50, 50), (66, 50)];
    let square = |x: u32, y: u32, at: usize| {
        let (dx, dy) = (x as i32 - centers[at].0, y as i32 - centers[at].1);
        dx * dx + dy * dy
    };
    let disk = move |x, y| {
        let nearest = (0..6).min_by_key(|&at| square(x, y, at)).unwrap_or(0);
        (square(x, y, nearest) < 9 * 9).then_some(nearest)
    };
    let truth = Labels::from_fn(100, 64, |x, y| disk(x, y).map_or(0, |at| at as u32 + 1));
    // The seam between the touching two is dimmer.
    let value =
        move |x, y| disk(x, y).map_or(0, |at| brightness[at] - if x == 58 { 400 } else { 0 });
    let mut sample = sample_of(truth, value);
    (sample.name, sample.image_type) = (name.to_owned(), image_type.to_owned());
    sample
}

fn choose(samples: &[Sample]) -> Choice {
    let mut counts = Vec::new();
    let on_progress = &mut |n_done: usize| counts.push(n_done);
    let start = Decoder::default();
    let choice =
        choose_decoder(&network(), samples, &start, &Grid::default(), on_progress).unwrap();
    assert_eq!(counts, (1..=samples.len()).collect::<Vec<_>>());
    choice
}

#[test]
fn a_sample_is_seen_as_its_image_would_be() {
    let image = Image::Gray16(Raster::from_fn(31, 17, |x, y| (x * 7 + y * 1000) as u16));
    let sample = sample_of(Labels::filled(31, 17, 0), |x, y| (x * 7 + y * 1000) as u16);
    let planes = Planes::of_image(&image, &[Channel::Gray; 3], None).unwrap();
    assert_eq!(sample.to_input(3), planes.scaled(&InputScaling::default()));
}

#[test]
fn fields_are_scored_and_averaged_by_type() {
    let good = disks("good", "bright", [1000; 6]);
    let dim = disks("dim", "mixed", [1000, 1000, 1000, 400, 1000, 1000]);
    let samples = [dim.clone(), good.clone(), Sample { name: "same".to_owned(), ..good }];
    // The hand-set network says nothing of distances.
    let mut decoder = Decoder::default();
    decoder.decoding.separation = Separation::Boundary;
    decoder.decoding.h = 0.01;
    let validation = validate(&network(), &samples, &decoder);
    let names: Vec<&str> = validation.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["dim", "good", "same"]);
    let [bright, mixed] = &validation.by_type()[..] else { panic!("two types") };
    assert_eq!((bright.n_images, bright.n_nuclei, bright.mean_ap), (2, 12, 1.0));
    // One of six is not found.
    assert!(mixed.n_images == 1 && (mixed.mean_ap - 5.0 / 6.0).abs() < 1e-12);
    let all = validation.overall().unwrap();
    assert_eq!((all.image_type.as_str(), all.n_images), (ALL, 3));
    assert!((all.mean_ap - (2.0 + 5.0 / 6.0) / 3.0).abs() < 1e-12);
    assert!((validation.score().unwrap() - (1.0 + 5.0 / 6.0) / 2.0).abs() < 1e-12);
    assert_eq!(validation.worst()[0].name, "dim");
}

#[test]
fn nothing_to_judge_gives_no_figure() {
    let validation = validate(&network(), &[], &Decoder::default());
    assert_eq!((validation.overall(), validation.score()), (None, None));
    let start = Decoder::default();
    assert_eq!(choose_decoder(&network(), &[], &start, &Grid::default(), &mut |_| ()), None);
}

#[test]
fn the_search_finds_the_threshold_that_finds_all() {
    // A brightness of 0.49 is a probability of 0.45.
    let samples = [disks("one", "dim", [1000, 490, 490, 490, 1000, 1000])];
    let choice = choose(&samples);
    assert_eq!(choice.decoder.decoding.nucleus_threshold, 0.4);
    assert_eq!(choice.trials.len(), 36);
    assert_eq!((choice.trials[0].score, choice.validation.score()), (1.0, Some(1.0)));
    assert_eq!(choice.validation, validate(&network(), &samples, &choice.decoder));
    assert!(choice.trials.is_sorted_by(|one, other| one.score >= other.score));
}

#[test]
fn the_search_prefers_what_separates() {
    // The seam of 0.6 lies at 0.88 in the landscape of nuclei: a rise of 0.2 is too much to ask.
    let choice = choose(&[disks("one", "x", [1000; 6])]);
    let score = |separation, h| {
        let is_it = |decoding: &Decoding| decoding.separation == separation && decoding.h == h;
        choice.trials.iter().find(|trial| is_it(&trial.decoding)).unwrap().score
    };
    assert_eq!(score(Separation::Boundary, 0.05), 1.0);
    assert!(score(Separation::Boundary, 0.2) < 1.0);
}

#[test]
fn the_report_says_what_was_chosen_and_names_the_worst() {
    let samples = [
        disks("we<b>|", "bright", [1000; 6]),
        disks("dim", "mixed", [1000, 1000, 1000, 100, 1000, 1000]),
    ];
    let Choice { decoder, validation, trials } = choose(&samples);
    let report = Report { decoder: &decoder, validation: &validation, trials: &trials };
    let text = report.markdown();
    assert!(text.contains("the best of 36 settings"), "{text}");
    assert!(text.contains("| `mixed` | 1 | 6 | 0.909 |"), "{text}");
    assert!(text.contains("| `we<b>\\|` |"), "{text}");
    let document = report.document();
    assert_eq!(document["schema"], SCHEMA);
    assert_eq!(document["all"]["n_nuclei"], 12);
    assert_eq!(document["fields"][1]["n_found"], 5);
    assert_eq!(document["searched"].as_array().unwrap().len(), 36);
    assert_eq!(document["searched"][0]["mean_ap_by_type"]["bright"], 1.0);
    assert_eq!(document["decoding"]["separation"], "boundary");
}

#[test]
fn pictures_show_the_worst_field_of_each_type_first() {
    let samples = [
        disks("good", "x", [1000; 6]),
        disks("worst", "x", [1000, 1000, 100, 100, 1000, 1000]),
        disks("middle", "x", [1000, 1000, 1000, 100, 1000, 1000]),
        disks("alone", "y", [1000; 6]),
    ];
    let decoder = Decoder::default();
    let validation = validate(&network(), &samples, &decoder);
    let pictures = pictures(&network(), &samples, &decoder, &validation);
    let names: Vec<&str> = pictures.iter().map(|picture| picture.name.as_str()).collect();
    assert_eq!(names, ["worst", "middle", "good", "alone"]);
    assert_eq!((pictures[0].colors.width(), pictures[0].colors.height()), (200, 128));
    assert!(pictures[0].mean_ap < pictures[1].mean_ap);
}
