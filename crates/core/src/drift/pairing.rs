//! Pairing: the fate of each nucleus between base and head.
//!
//! Takes the overlaps of two label images and gives every nucleus of either side exactly one fate.
//! Label numbers are never compared, only pixels.

use crate::overlap::{Nucleus, Overlaps, Shared};

/// Fate of a nucleus of base, or origin of a nucleus of head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Has one partner, with an overlap (IoU) above 0.5.
    Matched,
    /// Has one partner, with an overlap (IoU) of 0.5 or less.
    Modified,
    /// Base: fell apart into several of head. Head: is a part of one of base.
    Split,
    /// Base: is a part of one of head. Head: grew together from several of base.
    Merged,
    /// Base: vanished. Head: appeared.
    Alone,
}

/// One nucleus of base and the one of head that it became.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Label in base.
    pub base: u32,
    /// Label in head.
    pub head: u32,
    /// Intersection over union, (0, 1].
    pub iou: f64,
}

/// The fate of every nucleus of a field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairing {
    /// Matched nuclei, ordered by their label in base.
    pub matched: Vec<Pair>,
    /// Modified nuclei, ordered by their label in base.
    pub modified: Vec<Pair>,
    /// Label and fate of each nucleus of base, labels rising.
    pub base: Vec<(u32, Fate)>,
    /// Label and fate of each nucleus of head, labels rising.
    pub head: Vec<(u32, Fate)>,
}

impl Pairing {
    /// Number of nuclei of base with a fate.
    #[must_use]
    pub fn n_base(&self, fate: Fate) -> u64 {
        n_with_fate(&self.base, fate)
    }

    /// Number of nuclei of head with a fate.
    #[must_use]
    pub fn n_head(&self, fate: Fate) -> u64 {
        n_with_fate(&self.head, fate)
    }
}

fn n_with_fate(fates: &[(u32, Fate)], fate: Fate) -> u64 {
    fates.iter().filter(|&&(_, found)| found == fate).count() as u64
}

/// Gives every nucleus its fate.
///
/// Two nuclei are linked when they share at least half of the smaller one, so that small fragments
/// count too. Linked nuclei form groups:
/// one and one are a pair; one of base and several of head that cover at least half of it are a
/// split; the reverse is a merger; when the parts cover less, the best of them is a pair and the
/// others stand alone. In a group of several and several, pairs with an overlap above one half are
/// set apart first (such a pair is unique), then the group is read again; what is still entangled
/// is paired by falling overlap, and the rest counts as split or merged.
/// Nuclei left without a link are pairs (modified) when they overlap each other at all.
///
/// # Edge cases
/// Empty fields have no fates. Swapping base and head swaps split with merged and vanished with
/// appeared, and nothing else.
///
/// # Sources
/// Matching above one half: Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963, section 4.1. Splits
/// and mergers: after Caicedo et al. 2019, doi:10.1002/cyto.a.23863, with containment in the place
/// of their overlap of 0.1, which misses small fragments.
#[must_use]
pub fn pair(overlaps: &Overlaps) -> Pairing {
    let mut fates = Fates {
        overlaps,
        base: vec![None; overlaps.base.len()],
        head: vec![None; overlaps.head.len()],
        pairs: Vec::new(),
    };
    let is_link = |shared: &Shared| overlaps.contains_half_of_smaller(*shared);
    let links: Vec<Shared> = overlaps.shared.iter().copied().filter(is_link).collect();
    let entangled = fates.settle_groups(&links);
    for &link in &entangled {
        if overlaps.iou_exceeds(link, 10) {
            fates.pair(link);
        }
    }
    let still_entangled = fates.settle_groups(&fates.open_pairs(&entangled));
    fates.pair_by_overlap(&still_entangled);
    for link in &entangled {
        fates.base[link.base].get_or_insert(Fate::Merged);
        fates.head[link.head].get_or_insert(Fate::Split);
    }
    fates.pair_by_overlap(&overlaps.shared);
    fates.finish()
}

/// Fates as far as they are settled, by index into the overlaps.
struct Fates<'a> {
    overlaps: &'a Overlaps,
    base: Vec<Option<Fate>>,
    head: Vec<Option<Fate>>,
    pairs: Vec<Shared>,
}

impl Fates<'_> {
    /// The pairs of which neither nucleus has a fate yet.
    fn open_pairs(&self, pairs: &[Shared]) -> Vec<Shared> {
        pairs.iter().copied().filter(|pair| self.is_open(*pair)).collect()
    }

    fn is_open(&self, pair: Shared) -> bool {
        self.base[pair.base].is_none() && self.head[pair.head].is_none()
    }

    fn pair(&mut self, pair: Shared) {
        let matched = self.overlaps.iou_exceeds(pair, 10);
        let fate = if matched { Fate::Matched } else { Fate::Modified };
        self.base[pair.base] = Some(fate);
        self.head[pair.head] = Some(fate);
        self.pairs.push(pair);
    }

    /// Settles the groups that links form, and gives back the links of the entangled ones.
    fn settle_groups(&mut self, links: &[Shared]) -> Vec<Shared> {
        let mut entangled = Vec::new();
        for group in groups(links, self.overlaps.base.len() + self.overlaps.head.len()) {
            if !self.settle(&group) {
                entangled.extend(group);
            }
        }
        entangled
    }

    /// Settles a group that is a pair, a split or a merger; says whether it was one.
    fn settle(&mut self, group: &[Shared]) -> bool {
        let one_base = group.iter().all(|link| link.base == group[0].base);
        let one_head = group.iter().all(|link| link.head == group[0].head);
        let covered: u64 = group.iter().map(|link| link.n_px).sum();
        let (fate, whole) = match (one_base, one_head) {
            (true, true) => {
                self.pair(group[0]);
                return true;
            }
            (true, false) => (Fate::Split, self.overlaps.base[group[0].base]),
            (false, true) => (Fate::Merged, self.overlaps.head[group[0].head]),
            (false, false) => return false,
        };
        if 2 * covered >= whole.n_px {
            for link in group {
                self.base[link.base] = Some(fate);
                self.head[link.head] = Some(fate);
            }
        } else {
            self.pair_by_overlap(group);
        }
        true
    }

    /// Pairs nuclei without a fate by falling overlap.
    ///
    /// Of equal overlaps the one nearer to the top left goes first: unlike a label, a place is the
    /// same however nuclei are numbered and whichever side is called base.
    fn pair_by_overlap(&mut self, pairs: &[Shared]) {
        let mut pairs = self.open_pairs(pairs);
        let place = |pair: &Shared| {
            let (base, head) = (self.overlaps.base[pair.base], self.overlaps.head[pair.head]);
            (base.first_px.min(head.first_px), base.first_px.max(head.first_px))
        };
        pairs.sort_by(|a, b| {
            let falling = self.overlaps.iou(*b).total_cmp(&self.overlaps.iou(*a));
            falling.then_with(|| place(a).cmp(&place(b)))
        });
        for pair in pairs {
            if self.is_open(pair) {
                self.pair(pair);
            }
        }
    }

    fn finish(mut self) -> Pairing {
        self.pairs.sort_unstable_by_key(|pair| (pair.base, pair.head));
        let overlaps = self.overlaps;
        let (matched, modified) =
            self.pairs.iter().partition::<Vec<Shared>, _>(|pair| overlaps.iou_exceeds(**pair, 10));
        let pairs = |pairs: Vec<Shared>| {
            let labeled = pairs.into_iter().map(|pair| Pair {
                base: overlaps.base[pair.base].label,
                head: overlaps.head[pair.head].label,
                iou: overlaps.iou(pair),
            });
            labeled.collect()
        };
        Pairing {
            matched: pairs(matched),
            modified: pairs(modified),
            base: fates_by_label(&overlaps.base, &self.base),
            head: fates_by_label(&overlaps.head, &self.head),
        }
    }
}

fn fates_by_label(nuclei: &[Nucleus], fates: &[Option<Fate>]) -> Vec<(u32, Fate)> {
    let fate = |fate: &Option<Fate>| fate.unwrap_or(Fate::Alone);
    nuclei.iter().zip(fates).map(|(nucleus, found)| (nucleus.label, fate(found))).collect()
}

/// Parts links into groups that have no nucleus in common.
fn groups(links: &[Shared], n_nuclei: usize) -> Vec<Vec<Shared>> {
    let mut parent: Vec<usize> = (0..n_nuclei).collect();
    let n_base = links.iter().map(|link| link.base + 1).max().unwrap_or(0);
    for link in links {
        let (base, head) = (root(&mut parent, link.base), root(&mut parent, n_base + link.head));
        parent[base.max(head)] = base.min(head);
    }
    let mut keyed: Vec<(usize, Shared)> =
        links.iter().map(|&link| (root(&mut parent, link.base), link)).collect();
    keyed.sort_by_key(|&(root, _)| root);
    let group = |keyed: &[(usize, Shared)]| keyed.iter().map(|&(_, link)| link).collect();
    keyed.chunk_by(|a, b| a.0 == b.0).map(group).collect()
}

/// Root of a nucleus in the forest, halving the way there.
fn root(parent: &mut [usize], mut nucleus: usize) -> usize {
    while parent[nucleus] != nucleus {
        parent[nucleus] = parent[parent[nucleus]];
        nucleus = parent[nucleus];
    }
    nucleus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;
    use crate::raster::Labels;
    use proptest::prelude::*;

    fn pair_labels(base: &Labels, head: &Labels) -> Pairing {
        pair(&Overlaps::count(base, head).unwrap())
    }

    #[track_caller]
    fn check(base: &Labels, head: &Labels, base_fates: &[Fate], head_fates: &[Fate]) {
        let pairing = pair_labels(base, head);
        let fates = |fates: &[(u32, Fate)]| fates.iter().map(|&(_, f)| f).collect::<Vec<_>>();
        assert_eq!(fates(&pairing.base), base_fates, "base");
        assert_eq!(fates(&pairing.head), head_fates, "head");
    }

    use Fate::{Alone, Matched, Merged, Modified, Split};

    #[test]
    fn same_nucleus_under_another_label_is_matched() {
        check(&labels![3, 3, 0, 8], &labels![8, 8, 0, 3], &[Matched; 2], &[Matched; 2]);
    }

    #[test]
    fn overlap_of_exactly_one_half_is_modified() {
        check(&labels![1, 1, 1, 0], &labels![0, 1, 1, 1], &[Modified], &[Modified]);
        check(&labels![1, 1, 1, 1, 0], &labels![0, 1, 1, 1, 1], &[Matched], &[Matched]);
    }

    #[test]
    fn weak_overlap_without_other_partners_is_modified() {
        check(&labels![1, 1, 1, 0, 0], &labels![0, 0, 1, 1, 1], &[Modified], &[Modified]);
    }

    #[test]
    fn disjoint_nuclei_vanish_and_appear() {
        check(&labels![1, 1, 0, 0], &labels![0, 0, 1, 1], &[Alone], &[Alone]);
    }

    #[test]
    fn halves_of_a_nucleus_are_a_split_and_the_reverse_a_merger() {
        let (whole, halves) = (labels![1, 1, 1, 1, 1], labels![1, 1, 0, 2, 2]);
        check(&whole, &halves, &[Split], &[Split; 2]);
        check(&halves, &whole, &[Merged; 2], &[Merged]);
    }

    #[test]
    fn a_small_fragment_is_a_split_even_beside_a_good_partner() {
        check(&labels![1, 1, 1, 1, 1, 1], &labels![2, 2, 2, 2, 0, 3], &[Split], &[Split; 2]);
    }

    #[test]
    fn debris_inside_a_lost_nucleus_is_no_split() {
        let debris = labels![2, 0, 0, 0, 0, 0, 3];
        check(&labels![1, 1, 1, 1, 1, 1, 1], &debris, &[Modified], &[Modified, Alone]);
    }

    #[test]
    fn a_moved_border_between_neighbors_is_no_split() {
        // 1 grows over 5 of the 9 pixels of 2: an entangled group of two and two.
        let base = labels![1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2];
        let head = labels![1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2];
        check(&base, &head, &[Matched, Modified], &[Matched, Modified]);
    }

    #[test]
    fn a_piece_of_a_partner_in_an_entangled_group_is_regrouped() {
        let base = labels![1, 1, 1, 1, 1, 1, 2, 2];
        let head = labels![3, 1, 1, 1, 1, 1, 1, 0];
        check(&base, &head, &[Matched, Merged], &[Matched, Split]);
    }

    fn field() -> impl Strategy<Value = Labels> {
        prop::collection::vec(0..6_u32, 20).prop_map(|runs| {
            let samples = runs.into_iter().flat_map(|label| [label; 3]).collect();
            Labels::from_samples(12, 5, samples).unwrap()
        })
    }

    const NEW_NAMES: [u32; 6] = [0, 17, 3, 4_000_000_000, 9, 1];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn every_nucleus_has_one_fate(base in field(), head in field()) {
            let overlaps = Overlaps::count(&base, &head).unwrap();
            let pairing = pair(&overlaps);
            prop_assert_eq!(pairing.base.len(), overlaps.base.len());
            prop_assert_eq!(pairing.head.len(), overlaps.head.len());
            for (fate, pairs) in [(Matched, &pairing.matched), (Modified, &pairing.modified)] {
                prop_assert_eq!(pairing.n_base(fate), pairs.len() as u64);
                prop_assert_eq!(pairing.n_head(fate), pairs.len() as u64);
            }
        }

        #[test]
        fn swapping_the_sides_swaps_split_and_merged(base in field(), head in field()) {
            let swap = |&(label, fate): &(u32, Fate)| match fate {
                Split => (label, Merged),
                Merged => (label, Split),
                Matched | Modified | Alone => (label, fate),
            };
            let (forth, back) = (pair_labels(&base, &head), pair_labels(&head, &base));
            prop_assert_eq!(forth.base.iter().map(swap).collect::<Vec<_>>(), back.head);
            prop_assert_eq!(forth.head.iter().map(swap).collect::<Vec<_>>(), back.base);
        }

        #[test]
        fn labels_do_not_matter(base in field(), head in field()) {
            let renamed = head.map(|label| NEW_NAMES[label as usize]);
            let (before, after) = (pair_labels(&base, &head), pair_labels(&base, &renamed));
            prop_assert_eq!(before.base, after.base);
            let rename = |pair: &Pair| Pair { head: NEW_NAMES[pair.head as usize], ..*pair };
            prop_assert_eq!(before.matched.iter().map(rename).collect::<Vec<_>>(), after.matched);
        }
    }
}
