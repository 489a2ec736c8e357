//! Targets: the answers that a network should give for a crop, and the weight of each pixel.
//!
//! Made from the crop's labels after it was warped, so that boundaries are as thick in every
//! magnification. The weights stand in for those of Ronneberger et al. 2015, equation 2.

use super::recipe::TargetRecipe;
use super::warp::MARGIN;
use cellgate_core::unet::architecture::{OUTPUTS, Output};
use cellgate_core::vectors::dispatch_simd;

/// Buffers that are used again from crop to crop.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Greatest number around each pixel.
    high: Vec<u16>,
    /// Least number around each pixel, background left out.
    low: Vec<u16>,
    /// Whether there is background around each pixel.
    rim: Vec<u16>,
    line: Vec<u16>,
}

/// True labels and depths of a crop.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// Numbers of nuclei, with a margin around the crop.
    pub labels: &'a [u16],
    /// Distances to the nucleus's own border.
    pub depths: &'a [f32],
}

/// Targets and weights that are made from them.
#[derive(Debug)]
pub struct Made<'a> {
    /// Answers that a network should give.
    pub targets: &'a mut [f32],
    /// How much each pixel counts.
    pub weights: &'a mut [f32],
}

/// Fills in targets and weights of a crop.
///
/// - nucleus: 1 in nuclei;
/// - boundary: 1 in the outermost pixels of nuclei, and wherever two nuclei lie within
///   `touching_px` in rows and in columns, be it in one of them or in the gap between;
/// - distance: the depth.
///
/// The weight is `1 + touching_weight exp(-(2 r)² / (2 sigma²))`, where the smallest square that
/// holds two nuclei reaches `r` pixels around the pixel; without such a square within [`MARGIN`] it
/// is 1.
///
/// # Shapes
/// `labels`: `[edge + 2 MARGIN][edge + 2 MARGIN]`; `depths`, `weights`: `[edge][edge]`; `targets`:
/// `[edge][edge][OUTPUTS]`.
pub fn fill(
    recipe: &TargetRecipe,
    truth: Truth<'_>,
    edge: usize,
    scratch: &mut Scratch,
    destination: Made<'_>,
) {
    let (Truth { labels, depths }, Made { targets, weights }) = (truth, destination);
    let padded = edge + 2 * MARGIN;
    let Scratch { high, low, rim, line } = scratch;
    high.clear();
    high.extend_from_slice(labels);
    low.clear();
    // Background becomes the greatest number, so that a minimum passes over it.
    low.extend(labels.iter().map(|label| label.wrapping_sub(1)));
    rim.clear();
    rim.extend_from_slice(labels);
    dispatch_simd!(widen(rim, padded, line, u16::min));
    let inner = |i: usize| (i + MARGIN) * padded + MARGIN..(i + MARGIN) * padded + MARGIN + edge;
    weights.fill(1.0);
    let outputs = OUTPUTS as usize;
    for (i, row) in targets.chunks_exact_mut(edge * outputs).enumerate() {
        let about = labels[inner(i)].iter().zip(&rim[inner(i)]).zip(&depths[i * edge..]);
        for (answer, ((&label, &least), &depth)) in row.chunks_exact_mut(outputs).zip(about) {
            answer[Output::Nucleus as usize] = if label > 0 { 1.0 } else { 0.0 };
            answer[Output::Boundary as usize] = if label > 0 && least == 0 { 1.0 } else { 0.0 };
            answer[Output::Distance as usize] = depth;
        }
    }
    for reach in 1..=MARGIN {
        dispatch_simd!(widen(high, padded, line, u16::max));
        dispatch_simd!(widen(low, padded, line, u16::min));
        let part = 2.0 * reach as f64 / recipe.touching_sigma_px;
        let weight = (recipe.touching_weight * libm::exp(-0.5 * part * part)) as f32;
        let is_boundary = reach <= recipe.touching_px as usize;
        for i in 0..edge {
            let answers = targets[i * edge * outputs..][..edge * outputs].chunks_exact_mut(outputs);
            let weights = &mut weights[i * edge..][..edge];
            let about = high[inner(i)].iter().zip(&low[inner(i)]);
            for ((answer, total), (&high, &low)) in answers.zip(weights).zip(about) {
                // One nucleus alone is its own neighbor; none has the highest and the lowest number.
                let is_between = high != low.wrapping_add(1);
                if is_between && is_boundary {
                    answer[Output::Boundary as usize] = 1.0;
                }
                *total = if is_between { total.max(1.0 + weight) } else { *total };
            }
        }
    }
}

/// Joins each pixel with its eight neighbors; beyond the border there is nothing.
#[inline(always)]
fn widen(
    samples: &mut [u16],
    width: usize,
    line: &mut Vec<u16>,
    join: impl Fn(u16, u16) -> u16 + Copy,
) {
    for row in samples.chunks_exact_mut(width) {
        line.clear();
        line.extend_from_slice(row);
        let three = line.windows(3).map(|three| join(join(three[0], three[1]), three[2]));
        row[1..].iter_mut().zip(three).for_each(|(to, joined)| *to = joined);
        if width > 1 {
            row[0] = join(line[0], line[1]);
            row[width - 1] = join(line[width - 2], line[width - 1]);
        }
    }
    // Each row is joined with the one below first, then with what the row above was.
    line.clear();
    line.extend_from_slice(&samples[..width]);
    let mut rest = samples;
    while let Some((row, below)) = rest.split_at_mut_checked(width) {
        let under = if below.is_empty() { None } else { Some(&below[..width]) };
        for (to, above) in row.iter_mut().zip(line.iter_mut()) {
            let here = *to;
            *to = join(*above, here);
            *above = here;
        }
        if let Some(under) = under {
            row.iter_mut().zip(under).for_each(|(to, under)| *to = join(*to, *under));
        }
        rest = below;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::raster::Labels;

    /// Boundary and weight by their definitions, pixel by pixel.
    fn expected_target(recipe: &TargetRecipe, labels: &Labels, x: i64, y: i64) -> (f32, f32) {
        let at = |x: i64, y: i64| {
            let (width, height) = (i64::from(labels.width()), i64::from(labels.height()));
            ((0..width).contains(&x) && (0..height).contains(&y))
                .then(|| labels.at(x as u32, y as u32))
        };
        let around = |reach: i64| {
            (y - reach..=y + reach)
                .flat_map(move |y| (x - reach..=x + reach).map(move |x| (x, y)))
                .filter_map(|(x, y)| at(x, y))
                .collect::<Vec<_>>()
        };
        let has_two = |reach: usize| {
            let mut near = around(reach as i64);
            near.retain(|label| *label > 0);
            near.iter().any(|label| *label != near[0])
        };
        let is_rim = at(x, y) != Some(0) && around(1).contains(&0);
        let is_boundary = is_rim || has_two(recipe.touching_px as usize);
        let reach = (1..=MARGIN).find(|&reach| has_two(reach));
        let bell =
            |reach: usize| (-0.5 * (2.0 * reach as f64 / recipe.touching_sigma_px).powi(2)).exp();
        let weight = reach.map_or(1.0, |reach| 1.0 + recipe.touching_weight * bell(reach));
        (f32::from(u8::from(is_boundary)), weight as f32)
    }

    #[track_caller]
    fn check(recipe: TargetRecipe, label: impl Fn(u32, u32) -> u32) {
        let edge = 24;
        let padded = edge + 2 * MARGIN;
        let labels = Labels::from_fn(padded as u32, padded as u32, label);
        let samples: Vec<u16> = labels.samples().iter().map(|label| *label as u16).collect();
        let depths: Vec<f32> = (0..edge * edge).map(|at| at as f32).collect();
        let (mut targets, mut weights) = (vec![9.0; edge * edge * 3], vec![9.0; edge * edge]);
        let mut scratch = Scratch::default();
        let destination = Made { targets: &mut targets, weights: &mut weights };
        let truth = Truth { labels: &samples, depths: &depths };
        fill(&recipe, truth, edge, &mut scratch, destination);
        for (pixel, (answer, weight)) in targets.chunks_exact(3).zip(&weights).enumerate() {
            let (x, y) = ((pixel % edge + MARGIN) as i64, (pixel / edge + MARGIN) as i64);
            let label = labels.at(x as u32, y as u32);
            let (boundary, expected) = expected_target(&recipe, &labels, x, y);
            let nucleus = if label > 0 { 1.0 } else { 0.0 };
            assert_eq!(answer, [nucleus, boundary, pixel as f32], "({x}, {y})");
            assert!((weight - expected).abs() < 1e-5, "({x}, {y}): {weight} {expected}");
        }
    }

    #[test]
    fn boundaries_and_weights_are_those_of_the_definition() {
        for touching_px in [1, 2, 3] {
            let recipe = TargetRecipe { touching_px, ..TargetRecipe::default() };
            // Touching, with gaps of one to three pixels, alone, and single pixels.
            check(recipe, |x, y| match (x, y) {
                (10..=14, 10..=19) => 5,
                (15..=19, 8..=17) => 2,
                (21..=23, 10..=13) => 65_535,
                (26..=29, 10..=13) => 1,
                (10..=19, 23..=29) => 7,
                (25, 25) | (27, 26) => 8,
                (26, 26) => 9,
                _ => 0,
            });
            check(recipe, |x, y| (x * 7919 + y * 104_729) % 13 / 4);
            check(recipe, |_, _| 0);
            check(recipe, |_, _| 3);
        }
    }
}
