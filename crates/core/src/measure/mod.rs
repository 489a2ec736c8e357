//! Measure: from labels and image to one row of numbers for each nucleus.
//!
//! Takes a label image, anybody's, and the image it belongs to; gives a table. Definitions are
//! scikit-image's where it has the property; [`catalog`] lists them all.

pub mod catalog;
pub mod hull;
pub mod intensity;
pub mod object;
pub mod shape;

use crate::profile::{Channel, Classify, MeasureGroup, Modality, Profile, Stains, Statistic};
use crate::raster::{Image, Labels};
use crate::units::PixelSize;
use catalog::{
    INTENSITY_STATISTICS, IntensityStatistic, OPTIONAL_PROPERTIES, PROPERTIES, Property,
    QUARTILE_STATISTICS,
};
use intensity::Reader;
use object::{Object, ObjectBits};
use rayon::prelude::*;
use shape::Moments;
use std::f64::consts::PI;

/// One row for each nucleus, column by column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Nuclei {
    /// Object numbers, rising.
    pub labels: Vec<u32>,
    /// Measurements, in the order of the table.
    pub columns: Vec<Column>,
    /// Positivity, when the profile classifies.
    pub classes: Option<Vec<Class>>,
}

/// One measurement of all nuclei.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name as in the table's header, with the unit as its ending.
    pub name: String,
    /// One value for each nucleus; `None` where the measurement is undefined.
    pub values: Vec<Option<f64>>,
}

/// Positivity of a nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Below the lowest threshold.
    Negative,
    /// At or above the only threshold.
    Positive,
    /// Weak.
    OnePlus,
    /// Moderate.
    TwoPlus,
    /// Strong.
    ThreePlus,
}

impl Nuclei {
    /// Number of nuclei.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no nucleus.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The values of the column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&[Option<f64>]> {
        let has_name = |column: &&Column| column.name == name;
        self.columns.iter().find(has_name).map(|column| column.values.as_slice())
    }
}

impl Class {
    /// The class of a value under one or three rising thresholds; at a threshold belongs above it.
    #[must_use]
    pub fn of_value(value: f64, thresholds: &[f64]) -> Self {
        let n_reached = thresholds.iter().filter(|&&threshold| value >= threshold).count();
        match (thresholds.len(), n_reached) {
            (_, 0) => Self::Negative,
            (1, _) => Self::Positive,
            (_, 1) => Self::OnePlus,
            (_, 2) => Self::TwoPlus,
            _ => Self::ThreePlus,
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Negative, Self::Positive, Self::OnePlus, Self::TwoPlus, Self::ThreePlus];
        all.into_iter().find(|class| class.as_str() == text)
    }

    /// The class as it stands in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Positive => "positive",
            Self::OnePlus => "1+",
            Self::TwoPlus => "2+",
            Self::ThreePlus => "3+",
        }
    }
}

/// Measurements to take, with their parameters.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Groups of measurements.
    pub groups: &'a [MeasureGroup],
    /// Channels to take intensities of; those the image does not have are left out.
    pub channels: &'a [Channel],
    /// Stain vectors for channels in optical density.
    pub stains: Option<&'a Stains>,
    /// How nuclei are classified.
    pub classify: Option<&'a Classify>,
    /// Adds every length and area in micrometers.
    pub pixel_size: Option<PixelSize>,
}

impl<'a> Request<'a> {
    /// Measurements that a profile asks for.
    #[must_use]
    pub fn of_profile(profile: &'a Profile, pixel_size: Option<PixelSize>) -> Self {
        Self {
            groups: &profile.measure,
            channels: channels_of(profile.image.modality),
            stains: profile.stains.as_ref(),
            classify: profile.classify.as_ref(),
            pixel_size,
        }
    }
}

/// The channels that nuclei of a modality are measured in.
#[must_use]
pub fn channels_of(modality: Modality) -> &'static [Channel] {
    match modality {
        Modality::Fluorescence => &[Channel::Gray],
        Modality::He => &[Channel::HematoxylinOd, Channel::EosinOd],
        Modality::IhcHdab => &[Channel::HematoxylinOd, Channel::DabOd],
    }
}

/// Labels and image cannot be measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("labels of {} by {} px do not fit an image of {} by {} px", labels.0, labels.1, image.0, image.1)]
pub struct ShapesDiffer {
    /// Width and height of the labels.
    pub labels: (u32, u32),
    /// Width and height of the image.
    pub image: (u32, u32),
}

/// Measures the nuclei of a label image.
///
/// # Shapes
/// `labels` and `image`: same width and height. One row for each label but 0, by rising label.
///
/// # Units
/// Column names end in their unit; see [`catalog`].
///
/// # Edge cases
/// A label in several pieces is one nucleus. What is undefined for a nucleus (the circularity of a
/// single pixel, say) is `None`, never NaN.
///
/// # Errors
/// [`ShapesDiffer`].
///
/// # Sources
/// scikit-image 0.26 `regionprops`; each property names its own.
///
/// # Examples
/// ```
/// use cellgate_core::labels;
/// use cellgate_core::measure::{Request, measure};
/// use cellgate_core::profile::{Channel, MeasureGroup};
/// use cellgate_core::raster::{Image, Raster};
///
/// let labels = labels![1, 1, 0; 0, 0, 2];
/// let image = Image::Gray8(Raster::from_samples(3, 2, vec![51, 153, 0, 0, 0, 255]).unwrap());
/// let request = Request {
///     groups: &[MeasureGroup::Shape, MeasureGroup::Intensity],
///     channels: &[Channel::Gray],
///     stains: None,
///     classify: None,
///     pixel_size: None,
/// };
/// let nuclei = measure(&labels, &image, &request)?;
/// assert_eq!(nuclei.labels, [1, 2]);
/// assert_eq!(nuclei.column("area_px2"), Some(&[Some(2.0), Some(1.0)][..]));
/// assert_eq!(nuclei.column("gray_max"), Some(&[Some(0.6), Some(1.0)][..]));
/// # Ok::<(), cellgate_core::measure::ShapesDiffer>(())
/// ```
pub fn measure(
    labels: &Labels,
    image: &Image,
    request: &Request<'_>,
) -> Result<Nuclei, ShapesDiffer> {
    let (of_labels, of_image) =
        ((labels.width(), labels.height()), (image.width(), image.height()));
    if of_labels != of_image {
        return Err(ShapesDiffer { labels: of_labels, image: of_image });
    }
    let objects = Object::all(labels);
    let bench = Bench::new(image, request);
    let rows: Vec<Row> =
        objects.par_iter().with_min_len(16).map(|object| bench.row(object)).collect();
    Ok(bench.table(&objects, &rows))
}

/// The numbers of one nucleus, in the order of [`Bench::column_names`].
struct Row {
    values: Vec<Option<f64>>,
    class: Option<Class>,
}

/// Image, request and readers that every nucleus is measured with.
struct Bench<'a> {
    image: &'a Image,
    request: &'a Request<'a>,
    readers: Vec<Reader<'a>>,
}

impl<'a> Bench<'a> {
    fn new(image: &'a Image, request: &'a Request<'a>) -> Self {
        let readers = Reader::of_channels(image, request.channels, request.stains);
        Self { image, request, readers }
    }

    fn is_requested(&self, group: MeasureGroup) -> bool {
        self.request.groups.contains(&group)
    }

    /// Names of the columns without their twins in micrometers, and where the class goes.
    fn column_names(&self) -> Vec<String> {
        let on = |property: &&Property| property.group.is_none_or(|group| self.is_requested(group));
        let mut names: Vec<String> =
            PROPERTIES.iter().filter(on).map(|property| property.name.to_owned()).collect();
        let mut of_channels = |statistics: &[IntensityStatistic]| {
            for channel in self.readers.iter().flat_map(|reader| &reader.channels) {
                names.extend(statistics.iter().map(|(ending, _)| format!("{channel}_{ending}")));
            }
        };
        if self.is_requested(MeasureGroup::Intensity) {
            of_channels(&INTENSITY_STATISTICS);
        }
        if self.is_requested(MeasureGroup::Quartiles) {
            of_channels(&QUARTILE_STATISTICS);
        }
        names
            .extend(OPTIONAL_PROPERTIES.iter().filter(on).map(|property| property.name.to_owned()));
        names
    }

    fn row(&self, object: &Object) -> Row {
        let mut values = place_values(object);
        let needs_bits = [MeasureGroup::Shape, MeasureGroup::Crofton];
        let bits = needs_bits.iter().any(|&group| self.is_requested(group)).then(|| object.bits());
        if let Some(bits) = bits.as_ref().filter(|_| self.is_requested(MeasureGroup::Shape)) {
            values.extend(self.shape_values(object, bits));
        }
        let mut quartiles = Vec::new();
        let mut deciding = None;
        for reader in &self.readers {
            let wants_quartiles = self.is_requested(MeasureGroup::Quartiles);
            let intensities = reader.intensities(object, wants_quartiles);
            for (channel, intensity) in reader.channels.iter().zip(intensities) {
                if self.is_requested(MeasureGroup::Intensity) {
                    values.extend(intensity.statistics.map(Some));
                }
                if let Some(classify) =
                    self.request.classify.filter(|c| c.measurement.channel == *channel)
                {
                    let value = match classify.measurement.statistic {
                        Statistic::Mean => intensity.statistics[0],
                        Statistic::Max => intensity.statistics[3],
                    };
                    deciding = Some(Class::of_value(value, &classify.thresholds));
                }
                quartiles.extend(intensity.quartiles.into_iter().flatten().map(Some));
            }
        }
        values.append(&mut quartiles);
        if let Some(bits) = bits.as_ref().filter(|_| self.is_requested(MeasureGroup::Crofton)) {
            values.push(Some(shape::perimeter_crofton(&shape::configurations(bits))));
        }
        if self.is_requested(MeasureGroup::Radius) {
            values.extend(shape::radii(object).map(Some));
        }
        if self.is_requested(MeasureGroup::Hu) {
            values.extend(shape::hu_moments(object).map(Some));
        }
        Row { values, class: deciding }
    }

    /// The `shape` group, in the order of [`PROPERTIES`].
    fn shape_values(&self, object: &Object, bits: &ObjectBits) -> [Option<f64>; 14] {
        let area = object.n_px() as f64;
        let box_area = f64::from(object.x1 - object.x0) * f64::from(object.y1 - object.y0);
        let perimeter = shape::perimeter(bits);
        let ellipse = Moments::of(object).ellipse();
        let (area_convex, ferets) = shape::convex_hull_measures(object);
        let touches = object.touches_border(self.image.width(), self.image.height());
        [
            Some(area),
            Some(perimeter),
            (perimeter > 0.0).then(|| 4.0 * PI * area / (perimeter * perimeter)),
            Some(ellipse.axis_major),
            Some(ellipse.axis_minor),
            Some(ellipse.eccentricity),
            Some(ellipse.orientation),
            Some((4.0 * area / PI).sqrt()),
            (area_convex > 0.0).then(|| area / area_convex),
            Some(area / box_area),
            ferets.map(|(longest, _)| longest),
            ferets.map(|(_, narrowest)| narrowest),
            Some(shape::euler_number(bits)),
            Some(f64::from(u8::from(touches))),
        ]
    }

    /// Turns rows into columns and adds the twins in micrometers.
    fn table(&self, objects: &[Object], rows: &[Row]) -> Nuclei {
        let mut columns = Vec::new();
        for (index, name) in self.column_names().into_iter().enumerate() {
            let values: Vec<Option<f64>> = rows.iter().map(|row| row.values[index]).collect();
            let twin =
                self.request.pixel_size.zip(catalog::physical_twin(&name)).map(|(pixel, twin)| {
                    let is_area = name.ends_with("_px2");
                    let physical =
                        |px: f64| if is_area { pixel.area_um2(px) } else { pixel.length_um(px) };
                    Column {
                        name: twin,
                        values: values.iter().map(|value| value.map(physical)).collect(),
                    }
                });
            columns.push(Column { name, values });
            columns.extend(twin);
        }
        let classes: Vec<Class> = rows.iter().filter_map(|row| row.class).collect();
        let has_classes = self.request.classify.is_some() && classes.len() == rows.len();
        Nuclei {
            labels: objects.iter().map(|object| object.label).collect(),
            columns,
            classes: has_classes.then_some(classes),
        }
    }
}

/// Centroid and box.
fn place_values(object: &Object) -> Vec<Option<f64>> {
    let (x, y) = Moments::of(object).centroid();
    let corners = [object.x0, object.y0, object.x1, object.y1].map(f64::from);
    let centroid = [x + f64::from(object.x0), y + f64::from(object.y0)];
    centroid.into_iter().chain(corners).map(Some).collect()
}

#[cfg(test)]
mod tests;
