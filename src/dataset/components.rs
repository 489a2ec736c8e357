//! Components: numbers the connected parts of a mask.
//!
//! Pixels that touch at a side or a corner belong together. Two passes over the rows; numbers rise
//! from the top left.

use crate::raster::{Labels, Raster};

/// Numbers the 8-connected parts of a mask from 1 in the order of their first pixels.
///
/// # Edge cases
/// An empty mask gives labels of 0.
#[must_use]
pub fn label_components(mask: &Raster<bool>) -> Labels {
    let (width, height) = (mask.width(), mask.height());
    let mut labels = Labels::filled(width, height, 0);
    let mut parents: Vec<u32> = vec![0];
    for y in 0..height {
        for x in 0..width {
            if !mask.at(x, y) {
                continue;
            }
            let above = |dx: u32| {
                (y > 0 && (1..=width).contains(&(x + dx))).then(|| labels.at(x + dx - 1, y - 1))
            };
            let before = (x > 0).then(|| labels.at(x - 1, y));
            let neighbors = [before, above(0), above(1), above(2)];
            let mut root = 0;
            for label in neighbors.into_iter().flatten().filter(|label| *label != 0) {
                root = union(&mut parents, root, label);
            }
            if root == 0 {
                root = parents.len() as u32;
                parents.push(root);
            }
            labels.set(x, y, root);
        }
    }
    renumber(labels, &mut parents)
}

/// Joins two trees under the smaller root, and gives it; 0 stands for no tree.
fn union(parents: &mut [u32], one: u32, other: u32) -> u32 {
    let other = find(parents, other);
    if one == 0 {
        return other;
    }
    let (low, high) = (one.min(other), one.max(other));
    parents[high as usize] = low;
    low
}

fn find(parents: &mut [u32], mut label: u32) -> u32 {
    while parents[label as usize] != label {
        let grandparent = parents[parents[label as usize] as usize];
        parents[label as usize] = grandparent;
        label = grandparent;
    }
    label
}

fn renumber(mut labels: Labels, parents: &mut [u32]) -> Labels {
    let mut numbers = vec![0; parents.len()];
    let mut n_components = 0;
    for label in labels.samples_mut() {
        let root = find(parents, *label) as usize;
        if root != 0 && numbers[root] == 0 {
            n_components += 1;
            numbers[root] = n_components;
        }
        *label = numbers[root];
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;

    #[track_caller]
    fn check(mask: Labels, expected: Labels) {
        assert_eq!(label_components(&mask.map(|sample| sample > 0)), expected);
    }

    #[test]
    fn corners_connect_and_numbers_rise_from_the_top_left() {
        check(
            labels![1, 0, 0, 1; 0, 1, 0, 0; 0, 0, 0, 1],
            labels![1, 0, 0, 2; 0, 1, 0, 0; 0, 0, 0, 3],
        );
    }

    #[test]
    fn branches_that_meet_later_are_one_component() {
        check(
            labels![1, 0, 1, 0, 1; 1, 0, 1, 0, 1; 1, 1, 1, 1, 1; 0, 0, 0, 0, 0; 1, 0, 0, 0, 1],
            labels![1, 0, 1, 0, 1; 1, 0, 1, 0, 1; 1, 1, 1, 1, 1; 0, 0, 0, 0, 0; 2, 0, 0, 0, 3],
        );
    }

    #[test]
    fn empty_mask_has_no_component() {
        check(labels![0, 0; 0, 0], labels![0, 0; 0, 0]);
    }
}
