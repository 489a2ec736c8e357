//! Catalog: every measurement by name, with its unit, group and definition.
//!
//! The table's header, the documentation and the tolerances all read this one list.

use crate::profile::{Channel, MeasureGroup};

/// A measurement of a nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// Column name; an ending in `_px` or `_px2` gets a twin in micrometers.
    pub name: &'static str,
    /// The group that turns it on; `None` for what every table has.
    pub group: Option<MeasureGroup>,
    /// Its definition, with interval and source.
    pub definition: &'static str,
}

const fn always(name: &'static str, definition: &'static str) -> Property {
    Property { name, group: None, definition }
}

const fn shape(name: &'static str, definition: &'static str) -> Property {
    Property { name, group: Some(MeasureGroup::Shape), definition }
}

/// Where a nucleus lies and what form it has, in the order of the table.
pub const PROPERTIES: &[Property] = &[
    always("centroid_x_px", "Mean column of the pixels' centers."),
    always("centroid_y_px", "Mean row of the pixels' centers."),
    always("bbox_x0_px", "First column of the box."),
    always("bbox_y0_px", "First row of the box."),
    always("bbox_x1_px", "Column after the last: the box is half-open."),
    always("bbox_y1_px", "Row after the last: the box is half-open."),
    shape("area_px2", "Number of pixels."),
    shape(
        "perimeter_px",
        "Length of the 4-connected outline through the centers of border pixels (Benkrid and \
         Crookes 2000); scikit-image `perimeter`.",
    ),
    shape(
        "circularity",
        "4 π area / perimeter²; above 1 for small disks; undefined without perimeter.",
    ),
    shape("axis_major_px", "Major axis of the ellipse with the same second moments."),
    shape("axis_minor_px", "Minor axis of the ellipse with the same second moments."),
    shape("eccentricity", "Focal distance over major axis of that ellipse, [0, 1]."),
    shape("orientation_rad", "Angle between the row axis and the major axis, [-π/2, π/2]."),
    shape("equivalent_diameter_px", "Diameter of the disk with the same area."),
    shape("solidity", "Area over the number of pixels in the convex hull, (0, 1]."),
    shape("extent", "Area over the area of the bounding box, (0, 1]."),
    shape(
        "feret_max_px",
        "Largest caliper width of the convex hull's outline, between pixel edges.",
    ),
    shape("feret_min_px", "Smallest caliper width of the same outline."),
    shape("euler_number", "Pieces less holes, 8-connected."),
    shape("touches_border", "1 when a pixel is on the image's border, else 0."),
];

/// Optional measurements of form, after the class.
pub const OPTIONAL_PROPERTIES: &[Property] = &[
    Property {
        name: "perimeter_crofton_px",
        group: Some(MeasureGroup::Crofton),
        definition: "Perimeter by the Crofton formula in four directions; scikit-image `perimeter_crofton`.",
    },
    Property {
        name: "radius_max_px",
        group: Some(MeasureGroup::Radius),
        definition: "Largest distance of a pixel to the outside; CellProfiler `MaximumRadius`.",
    },
    Property {
        name: "radius_mean_px",
        group: Some(MeasureGroup::Radius),
        definition: "Mean distance of the pixels to the outside; CellProfiler `MeanRadius`.",
    },
    Property {
        name: "radius_median_px",
        group: Some(MeasureGroup::Radius),
        definition: "Median distance of the pixels to the outside; CellProfiler `MedianRadius`.",
    },
    hu("hu_1"),
    hu("hu_2"),
    hu("hu_3"),
    hu("hu_4"),
    hu("hu_5"),
    hu("hu_6"),
    hu("hu_7"),
];

const fn hu(name: &'static str) -> Property {
    let definition =
        "Moment of the form that translation, rotation and scale do not change; Hu 1962.";
    Property { name, group: Some(MeasureGroup::Hu), definition }
}

/// A statistic of a channel: the ending of a column's name and its definition.
pub type IntensityStatistic = (&'static str, &'static str);

/// Statistics of the `intensity` group, in the order of the table.
pub const INTENSITY_STATISTICS: [IntensityStatistic; 5] = [
    ("mean", "Mean over the nucleus's pixels."),
    ("std", "Standard deviation over the pixels (population)."),
    ("min", "Smallest value."),
    ("max", "Largest value."),
    ("sum", "Sum over the pixels."),
];

/// Statistics of the `quartiles` group, in the order of the table.
pub const QUARTILE_STATISTICS: [IntensityStatistic; 3] = [
    ("median", "Median over the pixels, interpolated."),
    ("q25", "First quartile, interpolated linearly."),
    ("q75", "Third quartile, interpolated linearly."),
];

/// Channels that nuclei are measured in: brightness, and amounts of stain.
pub const CHANNELS: [Channel; 4] =
    [Channel::Gray, Channel::HematoxylinOd, Channel::DabOd, Channel::EosinOd];

/// The name of a column's twin in micrometers; `None` for a column without length.
#[must_use]
pub fn physical_twin(name: &str) -> Option<String> {
    let square = name.strip_suffix("_px2").map(|stem| format!("{stem}_um2"));
    square.or_else(|| name.strip_suffix("_px").map(|stem| format!("{stem}_um")))
}

/// The unit of a column, by its name's ending; `None` for numbers without one.
///
/// # Examples
/// ```
/// use cellgate_core::measure::catalog::unit_of;
/// assert_eq!(unit_of("area_um2"), Some("um2"));
/// assert_eq!(unit_of("dab_od_mean"), Some("OD"));
/// assert_eq!(unit_of("solidity"), None);
/// ```
#[must_use]
pub fn unit_of(name: &str) -> Option<&'static str> {
    const ENDINGS: [(&str, &str); 8] = [
        ("_per_mm2", "1/mm2"),
        ("_um2", "um2"),
        ("_px2", "px2"),
        ("_um", "um"),
        ("_px", "px"),
        ("_rad", "rad"),
        ("_percent", "percent"),
        ("_od_sum", "OD px2"),
    ];
    let by_ending = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending));
    by_ending.map(|&(_, unit)| unit).or(name.contains("_od_").then_some("OD"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_areas_have_twins() {
        assert_eq!(physical_twin("area_px2").as_deref(), Some("area_um2"));
        assert_eq!(physical_twin("bbox_x0_px").as_deref(), Some("bbox_x0_um"));
        assert_eq!(physical_twin("solidity"), None);
    }

    #[test]
    fn units_follow_the_ending() {
        let cases = [
            ("feret_max_px", Some("px")),
            ("dab_od_q25", Some("OD")),
            ("dab_od_sum", Some("OD px2")),
            ("gray_mean", None),
            ("density_per_mm2", Some("1/mm2")),
            ("positive_percent", Some("percent")),
        ];
        for (name, unit) in cases {
            assert_eq!(unit_of(name), unit, "{name}");
        }
    }
}
