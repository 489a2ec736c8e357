//! Hull: convex hulls of pixel regions, their pixel counts and caliper widths, exact in integers.
//!
//! Coordinates are doubled, so that the middles of pixel edges are whole numbers.

/// A vertex in doubled coordinates.
type Point = (i64, i64);

/// First and last column of the pixels in each row; `None` where a row is empty.
pub type Rows = [Option<(u32, u32)>];

/// A convex polygon through the middles of pixel edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hull {
    /// From top to bottom along the left side.
    left: Vec<Point>,
    /// From top to bottom along the right side.
    right: Vec<Point>,
}

impl Hull {
    /// The hull of pixels, each standing for the middles of its four edges.
    #[must_use]
    pub fn of_rows(rows: &Rows) -> Self {
        let mut hull = Self { left: Vec::new(), right: Vec::new() };
        let mut add = |y: i64, low: i64, high: i64| {
            extend(&mut hull.left, (low, y), 1);
            extend(&mut hull.right, (high, y), -1);
        };
        let mut above: Option<(i64, i64)> = None;
        for (y, row) in (0..).zip(rows.iter().copied().chain([None])) {
            let doubled = |(first, last)| (2 * i64::from(first), 2 * i64::from(last));
            let here = row.map(doubled);
            // Upper edges of this row's pixels, and lower edges of those above.
            let edges = match (above, here) {
                (Some((low, high)), Some((l, h))) => Some((low.min(l), high.max(h))),
                (one, two) => one.or(two),
            };
            if let Some((low, high)) = edges {
                add(2 * y - 1, low, high);
            }
            // Centers of the row, where the edges to the left and right are.
            if let Some((low, high)) = here {
                add(2 * y, low - 1, high + 1);
            }
            above = here;
        }
        hull
    }

    /// First and last column of the pixels whose centers lie inside or on the hull, by row.
    #[must_use]
    pub fn rows(&self, n_rows: usize) -> Vec<Option<(u32, u32)>> {
        let ceil_half =
            |(numerator, denominator): (i64, i64)| -(-numerator).div_euclid(2 * denominator);
        let floor_half =
            |(numerator, denominator): (i64, i64)| numerator.div_euclid(2 * denominator);
        let (mut left, mut right) = (Side::new(&self.left), Side::new(&self.right));
        let row = |y: usize| {
            let first = ceil_half(left.crossing_at(2 * y as i64)?);
            let last = floor_half(right.crossing_at(2 * y as i64)?);
            (first <= last).then_some((first.max(0) as u32, last as u32))
        };
        (0..n_rows).map(row).collect()
    }

    /// Largest and smallest caliper width, in pixels.
    ///
    /// # Edge cases
    /// `None` for a hull without vertices.
    #[must_use]
    pub fn calipers(&self) -> Option<(f64, f64)> {
        let vertices: Vec<Point> =
            self.left.iter().copied().chain(self.right.iter().rev().copied()).collect();
        let square = |one: Point, two: Point| (one.0 - two.0).pow(2) + (one.1 - two.1).pow(2);
        let all_pairs =
            vertices.iter().flat_map(|&one| vertices.iter().map(move |&two| square(one, two)));
        let longest = all_pairs.max()?;
        let next = vertices.iter().cycle().skip(1);
        let narrowest =
            vertices.iter().zip(next).filter(|(one, two)| one != two).map(|(&one, &two)| {
                let across = |&point: &Point| {
                    ((two.0 - one.0) * (point.1 - one.1) - (two.1 - one.1) * (point.0 - one.0))
                        .abs()
                };
                let widest = vertices.iter().map(across).max().unwrap_or(0);
                widest as f64 / (square(one, two) as f64).sqrt()
            });
        Some(((longest as f64).sqrt() / 2.0, narrowest.fold(f64::INFINITY, f64::min) / 2.0))
    }
}

/// Extends one side of a hull by a point below its others; `sign` 1 left, -1 right.
fn extend(side: &mut Vec<Point>, point: Point, sign: i64) {
    while let [.., one, two] = side[..] {
        let turn = (two.0 - one.0) * (point.1 - one.1) - (two.1 - one.1) * (point.0 - one.0);
        // The middle point stays only when it lies outside of the line past it.
        if turn * sign < 0 {
            break;
        }
        side.pop();
    }
    side.push(point);
}

/// Walks down one side of a hull.
struct Side<'a> {
    points: &'a [Point],
    segment: usize,
}

impl<'a> Side<'a> {
    fn new(points: &'a [Point]) -> Self {
        Self { points, segment: 0 }
    }

    /// Where the side crosses a doubled row, as numerator and denominator of a doubled column.
    fn crossing_at(&mut self, y: i64) -> Option<(i64, i64)> {
        while self.points.get(self.segment + 1).is_some_and(|next| next.1 < y) {
            self.segment += 1;
        }
        let (one, two) = (self.points.get(self.segment)?, self.points.get(self.segment + 1)?);
        let rise = two.1 - one.1;
        (one.1 <= y).then(|| (one.0 * rise + (two.0 - one.0) * (y - one.1), rise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_has_itself_as_hull_and_its_edges_as_calipers() {
        let rows = vec![Some((0, 3)); 4];
        let hull = Hull::of_rows(&rows);
        assert_eq!(hull.rows(4), rows);
        let (longest, narrowest) = hull.calipers().unwrap();
        // Edge middles of a 4 by 4 square: corners are cut, the width is 4.
        assert!((longest - (16.0_f64 + 9.0).sqrt()).abs() < 1e-12, "{longest}");
        assert!((narrowest - 4.0).abs() < 1e-12, "{narrowest}");
    }

    #[test]
    fn a_single_pixel_is_a_diamond() {
        let hull = Hull::of_rows(&[Some((0, 0))]);
        assert_eq!(hull.rows(1), [Some((0, 0))]);
        let (longest, narrowest) = hull.calipers().unwrap();
        assert!((longest - 1.0).abs() < 1e-12);
        assert!((narrowest - 0.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_notch_is_filled() {
        let rows = [Some((0, 4)), Some((0, 0)), None, Some((0, 4))];
        let filled = Hull::of_rows(&rows).rows(4);
        assert_eq!(filled, vec![Some((0, 4)); 4]);
    }
}
