//! Convolutions against their definition in f64, at sizes and channels of all kinds.

use super::*;
use crate::unet::feature_map::Shape;
use crate::unet::noise::{check_close, noise, noise_map};

/// Calls with each tap, the input pixel that it reads and the output pixel that it adds to.
fn visit_taps(shape: Shape, mut call: impl FnMut(usize, usize, usize)) {
    let Shape { batch, height, width, .. } = shape;
    for to in 0..batch * height * width {
        let (row, column, map) = (to / width % height, to % width, to / width / height);
        for tap in 0..9 {
            let (from_row, from_column) = (row + tap / 3, column + tap % 3);
            if (1..=height).contains(&from_row) && (1..=width).contains(&from_column) {
                call(tap, (map * height + from_row - 1) * width + from_column - 1, to);
            }
        }
    }
}

/// The three operations as their definitions say, for one input.
fn reference_results(input: View<'_>, weights: &[f32], gradient: View<'_>) -> [Vec<f64>; 3] {
    let (inputs, outputs) = (input.shape.channels, gradient.shape.channels);
    let mut output = vec![0.0; gradient.values.len()];
    let mut by_input = vec![0.0; input.values.len()];
    let mut by_weights = vec![0.0; weights.len()];
    visit_taps(gradient.shape, |tap, from, to| {
        for (i, o) in (0..inputs).flat_map(|i| (0..outputs).map(move |o| (i, o))) {
            let at = (tap * inputs + i) * outputs + o;
            let (x, w) = (f64::from(input.values[from * inputs + i]), f64::from(weights[at]));
            let dy = f64::from(gradient.values[to * outputs + o]);
            output[to * outputs + o] += x * w;
            by_input[from * inputs + i] += dy * w;
            by_weights[at] += x * dy;
        }
    });
    [output, by_input, by_weights]
}

/// Several maps as one.
fn concatenate(maps: &[FeatureMap]) -> FeatureMap {
    let channels = maps.iter().map(|map| map.shape.channels).sum();
    let shape = maps[0].shape.with_channels(channels);
    let pixel = |pixel: usize| {
        maps.iter().flat_map(move |map| {
            map.values[pixel * map.shape.channels..][..map.shape.channels].iter().copied()
        })
    };
    FeatureMap { shape, values: (0..shape.n_px()).flat_map(pixel).collect() }
}

/// Compares all three operations with their definitions.
#[track_caller]
fn check([batch, height, width]: [usize; 3], inputs: &[usize], outputs: usize) {
    let map = |(seed, channels): (usize, &usize)| {
        noise_map([batch, height, width, *channels], seed as u64 + 1)
    };
    let maps: Vec<_> = inputs.iter().enumerate().map(map).collect();
    let views: Vec<_> = maps.iter().map(FeatureMap::view).collect();
    let weights = noise(9 * inputs.iter().sum::<usize>() * outputs, 77);
    let gradient = noise_map([batch, height, width, outputs], 99);
    let [y, dx, dw] = reference_results(concatenate(&maps).view(), &weights, gradient.view());
    check_close("output", &forward(&views, &weights, outputs).values, &y, 3e-5);
    let by_inputs = input_gradients(gradient.view(), &weights, inputs);
    check_close("input gradient", &concatenate(&by_inputs).values, &dx, 3e-5);
    check_close("weight gradient", &weight_gradient(&views, gradient.view()), &dw, 3e-5);
}

#[test]
fn one_pixel_sees_the_middle_tap_alone() {
    check([1, 1, 1], &[1], 1);
}

#[test]
fn sizes_that_do_not_divide_are_right() {
    check([2, 5, 7], &[3], 8);
    check([1, 13, 30], &[16], 24);
    check([3, 9, 2], &[8], 3);
}

#[test]
fn sizes_that_divide_are_right() {
    check([2, 16, 16], &[16], 16);
    check([1, 64, 32], &[24], 40);
}

#[test]
fn many_channels_are_right() {
    check([1, 8, 8], &[128], 96);
    check([1, 6, 9], &[160, 96], 256);
}

#[test]
fn several_inputs_count_as_one() {
    check([1, 13, 10], &[16, 16], 16);
    check([2, 6, 6], &[3, 5, 8], 7);
}

#[test]
fn an_image_that_is_wider_than_a_strip_is_right() {
    check([1, 6, 600], &[8], 8);
}

/// Compares a layer with the convolution, bias, ReLU and pooling one after the other.
#[track_caller]
fn check_layer([batch, height, width]: [usize; 3], inputs: &[usize], outputs: usize) {
    let map = |channels: &usize| noise_map([batch, height, width, *channels], *channels as u64);
    let maps: Vec<_> = inputs.iter().map(map).collect();
    let views: Vec<_> = maps.iter().map(FeatureMap::view).collect();
    let weights = noise(9 * inputs.iter().sum::<usize>() * outputs, 77);
    let bias = noise(outputs, 78);
    let mut expected = forward(&views, &weights, outputs);
    for (place, value) in expected.values.iter_mut().enumerate() {
        *value = (*value + bias[place % outputs]).max(0.0);
    }
    // What was in the maps before, of whatever shape, must not show.
    let (mut output, mut pooled) = (noise_map([1, 2, 3, 8], 5), noise_map([1, 40, 30, 8], 6));
    let layer = Layer::new(&weights, &bias, inputs);
    layer.run(&views, &mut output, Some(&mut pooled));
    assert!(output == expected);
    assert!(pooled == crate::unet::pooling::forward(expected.view()).0);
    layer.run(&views, &mut output, None);
    assert!(output == expected);
}

#[test]
fn a_layer_is_a_convolution_with_bias_relu_and_pooling() {
    check_layer([1, 16, 16], &[16], 16);
    check_layer([2, 5, 7], &[3], 8);
    check_layer([3, 9, 10], &[16, 8], 24);
    check_layer([2, 6, 3], &[8], 32);
}

/// All numbers of the three operations on a pool of threads.
fn bits(threads: usize) -> Vec<u32> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (input, gradient) = (noise_map([2, 40, 52, 16], 1), noise_map([2, 40, 52, 24], 2));
    let weights = noise(9 * 16 * 24, 3);
    let numbers = pool.install(|| {
        let mut numbers = forward(&[input.view()], &weights, 24).values;
        numbers.extend(&input_gradients(gradient.view(), &weights, &[16])[0].values);
        numbers.extend(weight_gradient(&[input.view()], gradient.view()));
        numbers
    });
    numbers.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let expected = bits(1);
    for threads in [2, 3, 7] {
        assert!(bits(threads) == expected, "{threads} threads");
    }
}

#[test]
fn a_batch_gives_the_bits_of_its_maps() {
    let batch = noise_map([3, 18, 22, 16], 5);
    let weights = noise(9 * 16 * 16, 6);
    let together = forward(&[batch.view()], &weights, 16).values;
    let apart = batch.values.chunks_exact(18 * 22 * 16).flat_map(|values| {
        let shape = Shape { batch: 1, ..batch.shape };
        forward(&[View { shape, values }], &weights, 16).values
    });
    assert!(together == apart.collect::<Vec<_>>());
}
