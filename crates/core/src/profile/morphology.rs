//! Morphology: cleaning, size limits and spacing of nuclei, whichever method finds them.

use crate::units::{Area, Length};

/// Cleaning of the foreground and of the nuclei.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Morphology {
    /// Radius of the disk of the opening; 0 leaves it out.
    pub open_radius: Length,
    /// Radius of the disk of the closing; 0 leaves it out.
    pub close_radius: Length,
    /// Holes up to this area are filled; 0 fills none.
    pub fill_holes_max_area: Area,
    /// Smaller nuclei are dropped.
    pub min_area: Area,
    /// Larger nuclei are dropped; `None` keeps every size.
    pub max_area: Option<Area>,
    /// Whether nuclei that touch the image's border are dropped.
    pub exclude_border: bool,
}

/// How close two centers of nuclei may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Suppression {
    /// Follows the image's own nuclei.
    Auto,
    /// A fixed distance.
    Distance(Length),
}

impl Suppression {
    /// The fixed distance; `None` where it follows the image's own nuclei.
    #[must_use]
    pub fn distance(self) -> Option<Length> {
        match self {
            Self::Auto => None,
            Self::Distance(distance) => Some(distance),
        }
    }
}
