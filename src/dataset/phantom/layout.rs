//! Layout of a phantom: where the nuclei lie, and the exact truth.
//!
//! Some nuclei stand alone, some touch or overlap a neighbor. Where two overlap the later one lies
//! above; a place is taken only when what remains visible of every nucleus is one large piece.

use super::nucleus::Nucleus;
use crate::dataset::random::Random;
use crate::raster::Labels;
use std::collections::BTreeSet;

/// Share of nuclei that are put beside another one.
const CLUSTERED: f64 = 0.4;

/// Places tried for a nucleus before it is left out.
const MAX_TRIES: u32 = 300;

/// Smallest visible part of a nucleus, in pixels: fields cut nuclei at their border.
const MIN_VISIBLE_PX: usize = 45;

/// Smallest visible share of a nucleus that another one overlaps.
const MIN_VISIBLE_FRACTION: f64 = 0.7;

/// Nuclei in drawing order, and the labels of what is visible of them: nucleus `i` has label
/// `i + 1`.
pub(super) struct Layout {
    pub(super) nuclei: Vec<Nucleus>,
    pub(super) truth: Labels,
}

/// Places up to `n_nuclei` nuclei; fewer when there is no room.
pub(super) fn place(
    width: u32,
    height: u32,
    n_nuclei: u32,
    vesicular_fraction: f64,
    random: &mut Random,
) -> Layout {
    let mut layout = Layout { nuclei: Vec::new(), truth: Labels::filled(width, height, 0) };
    let mut full_px: Vec<usize> = Vec::new();
    for _ in 0..n_nuclei {
        for _ in 0..MAX_TRIES {
            let candidate = layout.propose(vesicular_fraction, random);
            let inside: Vec<(u32, u32)> = candidate
                .pixels_near(width, height)
                .filter(|(x, y)| candidate.depth(*x, *y) < 1.0)
                .collect();
            if let Some(truth) = layout.with(&inside, &full_px) {
                layout.truth = truth;
                layout.nuclei.push(candidate);
                full_px.push(inside.len());
                break;
            }
        }
    }
    layout
}

impl Layout {
    fn propose(&self, vesicular_fraction: f64, random: &mut Random) -> Nucleus {
        let nucleus = Nucleus::random(random, vesicular_fraction);
        let (width, height) = (f64::from(self.truth.width()), f64::from(self.truth.height()));
        if self.nuclei.is_empty() || !random.chance(CLUSTERED) {
            return nucleus.at(random.between(2.0, width - 2.0), random.between(2.0, height - 2.0));
        }
        let neighbor = &self.nuclei[random.below(self.nuclei.len())];
        let (right, down) = random.direction();
        let distance = (neighbor.radius() + nucleus.radius()) * random.between(0.82, 1.08);
        let (x, y) = neighbor.center();
        nucleus.at(x + right * distance, y + down * distance)
    }

    /// The labels with one more nucleus on top; `None` when it or another one would be hidden or
    /// fall apart.
    fn with(&self, inside: &[(u32, u32)], full_px: &[usize]) -> Option<Labels> {
        if inside.len() < MIN_VISIBLE_PX {
            return None;
        }
        let below: BTreeSet<u32> =
            inside.iter().map(|(x, y)| self.truth.at(*x, *y)).filter(|l| *l != 0).collect();
        let mut truth = self.truth.clone();
        let label = self.nuclei.len() as u32 + 1;
        for (x, y) in inside {
            truth.set(*x, *y, label);
        }
        let stays_visible = |label: u32| {
            let (n_px, n_connected) = visible(&truth, label);
            let enough = MIN_VISIBLE_FRACTION * full_px[label as usize - 1] as f64;
            n_px == n_connected && n_px >= MIN_VISIBLE_PX && n_px as f64 >= enough
        };
        let (n_px, n_connected) = visible(&truth, label);
        (n_px == n_connected && below.into_iter().all(stays_visible)).then_some(truth)
    }
}

/// Number of pixels of a label, and of those that its first pixel reaches over sides.
fn visible(truth: &Labels, label: u32) -> (usize, usize) {
    let (width, labels) = (truth.width() as usize, truth.samples());
    let n_px = labels.iter().filter(|other| **other == label).count();
    let mut is_reached = vec![false; labels.len()];
    let mut open: Vec<usize> =
        labels.iter().position(|other| *other == label).into_iter().collect();
    let mut n_connected = 0;
    while let Some(at) = open.pop() {
        if labels[at] != label || std::mem::replace(&mut is_reached[at], true) {
            continue;
        }
        n_connected += 1;
        let x = at % width;
        let neighbors = [
            (x > 0).then(|| at - 1),
            (x + 1 < width).then_some(at + 1),
            at.checked_sub(width),
            (at + width < labels.len()).then_some(at + width),
        ];
        open.extend(neighbors.into_iter().flatten());
    }
    (n_px, n_connected)
}
