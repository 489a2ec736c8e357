//! Layout of a phantom: where the nuclei lie, and the exact truth.
//!
//! Some nuclei stand alone, some touch or overlap a neighbor. Where two overlap the later one lies
//! above; a place is taken only when what remains visible of every nucleus is one large piece.

use super::nucleus::Nucleus;
use crate::dataset::random::Random;
use cellgate_core::raster::Labels;
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
            if layout.try_add(candidate, &inside, &full_px) {
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

    /// Puts one more nucleus on top, unless it or another one would be hidden or fall apart.
    fn try_add(&mut self, candidate: Nucleus, inside: &[(u32, u32)], full_px: &[usize]) -> bool {
        if inside.len() < MIN_VISIBLE_PX {
            return false;
        }
        let before: Vec<u32> = inside.iter().map(|(x, y)| self.truth.at(*x, *y)).collect();
        let below: BTreeSet<u32> = before.iter().copied().filter(|label| *label != 0).collect();
        self.nuclei.push(candidate);
        let label = self.nuclei.len() as u32;
        for (x, y) in inside {
            self.truth.set(*x, *y, label);
        }
        let stays_visible = |label: u32| {
            let (n_px, n_connected) = self.visible_px(label);
            let min_px = MIN_VISIBLE_FRACTION * full_px[label as usize - 1] as f64;
            n_px == n_connected && n_px >= MIN_VISIBLE_PX && n_px as f64 >= min_px
        };
        let (n_px, n_connected) = self.visible_px(label);
        let is_taken = n_px == n_connected && below.into_iter().all(stays_visible);
        if !is_taken {
            self.nuclei.pop();
            inside.iter().zip(before).for_each(|((x, y), label)| self.truth.set(*x, *y, label));
        }
        is_taken
    }

    /// Number of pixels of a label, and of those that its first pixel reaches over sides.
    fn visible_px(&self, label: u32) -> (usize, usize) {
        let (width, height) = (self.truth.width(), self.truth.height());
        let nucleus = &self.nuclei[label as usize - 1];
        let [columns, rows] = nucleus.box_near(width, height);
        let is_label = |x: u32, y: u32| self.truth.at(x, y) == label;
        let mut stack: Vec<(u32, u32)> =
            nucleus.pixels_near(width, height).find(|&(x, y)| is_label(x, y)).into_iter().collect();
        let n_px = nucleus.pixels_near(width, height).filter(|&(x, y)| is_label(x, y)).count();
        let mut is_reached = vec![vec![false; columns.len()]; rows.len()];
        let mut n_connected = 0;
        while let Some((x, y)) = stack.pop() {
            let is_near = columns.contains(&x) && rows.contains(&y);
            if !is_near || !is_label(x, y) {
                continue;
            }
            let (row, column) = ((y - rows.start) as usize, (x - columns.start) as usize);
            if std::mem::replace(&mut is_reached[row][column], true) {
                continue;
            }
            n_connected += 1;
            // What lies before the first column or row is beyond the box.
            stack.extend([(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)]);
        }
        (n_px, n_connected)
    }
}
