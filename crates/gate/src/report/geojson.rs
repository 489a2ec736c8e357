//! GeoJSON: outlines of nuclei as polygons that QuPath imports.
//!
//! Outlines run along pixel edges, so that a polygon covers exactly the pixels of its nucleus.

use cellgate_core::measure::{Class, Nuclei};
use cellgate_core::raster::Labels;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A corner of pixels.
type Corner = (u32, u32);

/// A FeatureCollection with one polygon (or several, for a nucleus in pieces) for each nucleus.
///
/// # Units
/// Coordinates in pixels from the image's top left corner.
#[must_use]
pub fn outlines(labels: &Labels, nuclei: &Nuclei) -> String {
    let rings = rings(labels);
    let features: Vec<Value> = nuclei
        .labels
        .iter()
        .enumerate()
        .filter_map(|(index, label)| Some(feature(index, *label, rings.get(label)?, nuclei)))
        .collect();
    let collection = json!({"type": "FeatureCollection", "features": features});
    format!("{collection}\n")
}

fn feature(index: usize, label: u32, rings: &[Vec<Corner>], nuclei: &Nuclei) -> Value {
    let mut measurements = Map::new();
    for column in &nuclei.columns {
        if let Some(value) = column.values[index] {
            measurements.insert(column.name.clone(), json!(value));
        }
    }
    let mut properties = json!({
        "objectType": "detection",
        "name": label.to_string(),
        "measurements": measurements,
    });
    if let Some(classes) = &nuclei.classes {
        let color = match classes[index] {
            Class::Negative => [112, 112, 225],
            Class::OnePlus => [255, 215, 0],
            Class::TwoPlus => [255, 140, 0],
            Class::Positive | Class::ThreePlus => [200, 50, 40],
        };
        properties["classification"] = json!({"name": classes[index].as_str(), "color": color});
    }
    json!({"type": "Feature", "geometry": geometry(rings), "properties": properties})
}

/// Outer rings have a positive area in image coordinates, holes a negative one.
fn geometry(rings: &[Vec<Corner>]) -> Value {
    let (outer, holes): (Vec<_>, Vec<_>) = rings.iter().partition(|ring| doubled_area(ring) > 0);
    let close = |ring: &Vec<Corner>| -> Vec<[u32; 2]> {
        ring.iter().chain(ring.first()).map(|&(x, y)| [x, y]).collect()
    };
    let contains = |outer: &[Corner], (x, y): Corner| {
        // A ray to the left, from the middle of the pixel inside the hole's first corner.
        let crossings = edges(outer).filter(|&((x0, y0), (x1, y1))| {
            x0 == x1 && x0 <= x && y0.min(y1) <= y && y < y0.max(y1)
        });
        crossings.count() % 2 == 1
    };
    let polygon = |ring: &&Vec<Corner>| -> Vec<Vec<[u32; 2]>> {
        let first_corner = |hole: &Vec<Corner>| hole.iter().copied().min_by_key(|&(x, y)| (y, x));
        let own_holes = holes
            .iter()
            .filter(|hole| first_corner(hole).is_some_and(|corner| contains(ring, corner)));
        std::iter::once(close(ring)).chain(own_holes.map(|hole| close(hole))).collect()
    };
    let polygons: Vec<_> = outer.iter().map(polygon).collect();
    match polygons.as_slice() {
        [polygon] => json!({"type": "Polygon", "coordinates": polygon}),
        many => json!({"type": "MultiPolygon", "coordinates": many}),
    }
}

fn edges(ring: &[Corner]) -> impl Iterator<Item = (Corner, Corner)> {
    ring.iter().copied().zip(ring.iter().copied().cycle().skip(1))
}

fn doubled_area(ring: &[Corner]) -> i64 {
    let cross = |((x0, y0), (x1, y1)): (Corner, Corner)| {
        i64::from(x0) * i64::from(y1) - i64::from(x1) * i64::from(y0)
    };
    edges(ring).map(cross).sum()
}

/// Every outline of every label, clockwise on screen around the label's pixels.
fn rings(labels: &Labels) -> BTreeMap<u32, Vec<Vec<Corner>>> {
    let mut next: BTreeMap<u32, BTreeMap<Corner, Vec<Corner>>> = BTreeMap::new();
    let (width, height) = (labels.width(), labels.height());
    let at = |x: Option<u32>, y: Option<u32>| match (x, y) {
        (Some(x), Some(y)) if x < width && y < height => labels.at(x, y),
        _ => 0,
    };
    for y in 0..height {
        for x in 0..width {
            let label = labels.at(x, y);
            if label == 0 {
                continue;
            }
            let mut edge = |from: Corner, to: Corner| {
                next.entry(label).or_default().entry(from).or_default().push(to);
            };
            if at(Some(x), y.checked_sub(1)) != label {
                edge((x, y), (x + 1, y));
            }
            if at(Some(x + 1), Some(y)) != label {
                edge((x + 1, y), (x + 1, y + 1));
            }
            if at(Some(x), Some(y + 1)) != label {
                edge((x + 1, y + 1), (x, y + 1));
            }
            if at(x.checked_sub(1), Some(y)) != label {
                edge((x, y + 1), (x, y));
            }
        }
    }
    next.into_iter().map(|(label, edges)| (label, join_edges(edges))).collect()
}

/// Joins edges to rings; where two pieces touch at a corner it turns right, which keeps them apart.
fn join_edges(mut edges: BTreeMap<Corner, Vec<Corner>>) -> Vec<Vec<Corner>> {
    let mut rings = Vec::new();
    while let Some(start) = edges.keys().next().copied() {
        let mut ring: Vec<Corner> = Vec::new();
        let mut corner = start;
        let mut previous: Option<Corner> = None;
        while let Some(ends) = edges.get_mut(&corner) {
            let turn = |to: &Corner| previous.map_or(0, |from| cross_product(from, corner, *to));
            let best = (0..ends.len()).max_by_key(|&index| turn(&ends[index])).unwrap_or(0);
            let to = ends.swap_remove(best);
            if ends.is_empty() {
                edges.remove(&corner);
            }
            let is_straight = previous.is_some_and(|from| cross_product(from, corner, to) == 0);
            if !is_straight {
                ring.push(corner);
            }
            previous = Some(corner);
            corner = to;
            if corner == start {
                break;
            }
        }
        rings.push(ring);
    }
    rings
}

fn cross_product((x0, y0): Corner, (x1, y1): Corner, (x2, y2): Corner) -> i64 {
    let (ax, ay) = (i64::from(x1) - i64::from(x0), i64::from(y1) - i64::from(y0));
    let (bx, by) = (i64::from(x2) - i64::from(x1), i64::from(y2) - i64::from(y1));
    ax * by - ay * bx
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::labels;

    #[track_caller]
    fn check(labels: &Labels, label: u32, expected: &Value) {
        assert_eq!(&geometry(&rings(labels)[&label]), expected);
    }

    #[test]
    fn a_rectangle_has_four_corners() {
        let expected =
            json!({"type": "Polygon", "coordinates": [[[1, 0], [3, 0], [3, 2], [1, 2], [1, 0]]]});
        check(&labels![0, 5, 5; 0, 5, 5], 5, &expected);
    }

    #[test]
    fn a_hole_is_a_ring_of_its_own() {
        let ring = labels![1, 1, 1; 1, 0, 1; 1, 1, 1];
        let expected = json!({"type": "Polygon", "coordinates": [
            [[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]],
            [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]],
        ]});
        check(&ring, 1, &expected);
    }

    #[test]
    fn pieces_that_touch_at_a_corner_are_two_polygons() {
        let geometry = geometry(&rings(&labels![1, 0; 0, 1])[&1]);
        assert_eq!(geometry["type"], "MultiPolygon");
        assert_eq!(geometry["coordinates"].as_array().map(Vec::len), Some(2));
    }
}
