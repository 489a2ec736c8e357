//! The same steps in plain code: `image` and `imageproc` where they have them, textbook loops where
//! they do not. What a first version of this program would have been.

use crate::Laps;
use crate::Watch;
use image::{GrayImage, ImageBuffer, Luma};
use imageproc::contrast::{ThresholdType, otsu_level, threshold};
use imageproc::distance_transform::{Norm, euclidean_squared_distance_transform};
use imageproc::filter::gaussian_blur_f32;
use imageproc::morphology::{close, open};
use imageproc::region_labelling::{Connectivity, connected_components};
use std::collections::BinaryHeap;
use std::error::Error;
use std::hint::black_box;

/// Peaks closer than this are one, in pixels.
const PEAK_DISTANCE: i64 = 5;

/// Runs the way from file to table, with the time of each stage.
pub(crate) fn run(file: &[u8]) -> Result<Laps, Box<dyn Error>> {
    let mut watch = Watch::start();
    let image = image::load_from_memory(file)?.to_rgb8();
    watch.lap("decode");
    let (width, height) = image.dimensions();
    let density = |value: u8| -(f32::from(value.max(1)) / 255.0).log10();
    let stain = |pixel: &image::Rgb<u8>| pixel.0.into_iter().map(density).sum::<f32>();
    let signal: Vec<f32> = image.pixels().map(stain).collect();
    let signal: ImageBuffer<Luma<f32>, Vec<f32>> =
        ImageBuffer::from_raw(width, height, signal).ok_or("one value for each pixel")?;
    watch.lap("signal");
    let smooth = gaussian_blur_f32(&signal, 1.5);
    watch.lap("smooth");
    let bytes = smooth.iter().map(|value| (value * 80.0).clamp(0.0, 255.0) as u8).collect();
    let bytes = GrayImage::from_raw(width, height, bytes).ok_or("one value for each pixel")?;
    let mask = threshold(&bytes, otsu_level(&bytes), ThresholdType::Binary);
    let mask = close(&open(&mask, Norm::L1, 2), Norm::L1, 1);
    black_box(connected_components(&mask, Connectivity::Four, Luma([0_u8])));
    watch.lap("threshold, mask, components");
    let inverted =
        ImageBuffer::from_fn(width, height, |x, y| Luma([255 - mask.get_pixel(x, y).0[0]]));
    let distances = euclidean_squared_distance_transform(&inverted);
    let labels = watershed(&mask, &distances);
    watch.lap("split");
    black_box(areas_and_means(&labels, &image));
    watch.lap("measure");
    let labels: Vec<u8> = labels.iter().flat_map(|label| (*label as u16).to_ne_bytes()).collect();
    let mut png = std::io::Cursor::new(Vec::new());
    image::write_buffer_with_format(
        &mut png,
        &labels,
        width,
        height,
        image::ExtendedColorType::L16,
        image::ImageFormat::Png,
    )?;
    watch.lap("encode labels");
    Ok(watch.laps())
}

/// Floods distances from their local maxima with a priority queue.
fn watershed(mask: &GrayImage, distances: &ImageBuffer<Luma<f64>, Vec<f64>>) -> Vec<u32> {
    let (width, height) = (i64::from(mask.width()), i64::from(mask.height()));
    let squares: Vec<u64> = distances.iter().map(|&square| square as u64).collect();
    let inside = |x: i64, y: i64| (0..width).contains(&x) && (0..height).contains(&y);
    let mut labels = vec![0; squares.len()];
    let mut queue = BinaryHeap::new();
    let mut n_peaks = 0;
    for (at, &square) in squares.iter().enumerate().filter(|(_, square)| **square > 1) {
        let (x, y) = (at as i64 % width, at as i64 / width);
        let window = (-PEAK_DISTANCE..=PEAK_DISTANCE)
            .flat_map(|dy| (-PEAK_DISTANCE..=PEAK_DISTANCE).map(move |dx| (x + dx, y + dy)));
        let mut others =
            window.filter(|&(x, y)| inside(x, y)).map(|(x, y)| (y * width + x) as usize);
        let is_peak =
            others.all(|other| squares[other] < square || squares[other] == square && other >= at);
        if is_peak {
            n_peaks += 1;
            labels[at] = n_peaks;
            queue.push((square, at));
        }
    }
    while let Some((_, at)) = queue.pop() {
        let (x, y) = (at as i64 % width, at as i64 / width);
        for (x, y) in [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)] {
            let other = (y * width + x) as usize;
            if inside(x, y) && labels[other] == 0 && mask.as_raw()[other] > 0 {
                labels[other] = labels[at];
                queue.push((squares[other], other));
            }
        }
    }
    labels
}

/// Area, centroid and mean color of each label.
fn areas_and_means(labels: &[u32], image: &image::RgbImage) -> Vec<[f64; 6]> {
    let n_labels = labels.iter().max().map_or(0, |&most| most as usize);
    let mut sums = vec![[0.0; 6]; n_labels + 1];
    for (&label, (x, y, pixel)) in labels.iter().zip(image.enumerate_pixels()) {
        let [r, g, b] = pixel.0.map(f64::from);
        let values = [1.0, f64::from(x), f64::from(y), r, g, b];
        sums[label as usize].iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    sums.iter_mut().for_each(|sums| {
        let n = sums[0].max(1.0);
        sums[1..].iter_mut().for_each(|sum| *sum /= n);
    });
    sums
}
