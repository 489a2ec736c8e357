//! TIFF metadata: how many planes a file holds, and its pixel size as OME-XML, ImageJ or the
//! resolution tags state it.

use super::decoded::Refusal;
use super::pixel_size::{UM_PER_CM, UM_PER_INCH, square_px_per_unit, square_um, um_per_unit_named};
use cellgate_core::units::PixelSize;
use std::io::Cursor;
use tiff::decoder::Decoder;
use tiff::decoder::ifd::Value;
use tiff::tags::Tag;
use tiff::{TiffError, TiffUnsupportedError};

pub(super) type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

pub(super) fn refusal(error: TiffError) -> Refusal {
    match error {
        TiffError::UnsupportedError(TiffUnsupportedError::UnknownInterpretation) => {
            Refusal::unsupported(
                "the image is in a color space that is not read",
                "export it as gray or RGB",
            )
        }
        TiffError::UnsupportedError(other) => {
            let help = "export it as gray or RGB with 8 or 16 bits a sample";
            Refusal::unsupported(
                format!("the image is in a form of TIFF that is not read: {other}"),
                help,
            )
        }
        other => Refusal::unreadable(other),
    }
}

/// Most bytes of a description that are looked at.
const DESCRIPTION_BYTES: u64 = 4 << 20;

/// Most further pages that are looked at.
const MAX_PAGES: usize = 64;

/// Bit of the tag `NewSubfileType` that marks a smaller copy of another page.
const REDUCED_COPY: u32 = 1;

/// Checks that the file holds one picture: further pages may only be smaller copies of the first.
pub(super) fn check_is_one_plane(reader: &mut Reader<'_>, is_color: bool) -> Result<(), Refusal> {
    let several_error = |what: String| {
        Refusal::unsupported(
            format!("the file holds {what}; reading one of them would drop the others"),
            "save each channel, slice or time point as an image of its own",
        )
    };
    let mut next = reader.image_ifd().directory().next();
    for _ in 0..MAX_PAGES {
        let Some(pointer) = next else { break };
        let page = reader.read_directory(pointer).map_err(refusal)?;
        let kind = reader.read_directory_tags(&page).find_tag_unsigned::<u32>(Tag::NewSubfileType);
        if kind.map_err(refusal)?.unwrap_or(0) & REDUCED_COPY == 0 {
            return Err(several_error("several pages".to_owned()));
        }
        next = page.next();
    }
    if next.is_some() {
        return Err(several_error(format!("more than {MAX_PAGES} pages")));
    }
    let text = description(reader);
    if let Some(n_images) =
        imagej_value(&text, "images").and_then(|n| n.parse::<u64>().ok()).filter(|n| *n > 1)
    {
        return Err(several_error(format!("{n_images} ImageJ planes")));
    }
    if let Some(pixels) = ome_pixels(&text) {
        let size = |name| attribute(pixels, name).and_then(|n| n.parse::<u64>().ok()).unwrap_or(1);
        let n_planes =
            [size("SizeC"), size("SizeZ"), size("SizeT")].into_iter().fold(1, u64::saturating_mul);
        if n_planes > if is_color { 3 } else { 1 } {
            return Err(several_error(format!("{n_planes} OME planes")));
        }
    }
    Ok(())
}

/// The pixel size that the file states, when a microscope can have it.
pub(super) fn pixel_size(reader: &mut Reader<'_>) -> Result<Option<PixelSize>, Refusal> {
    let text = description(reader);
    if let Some(size) = ome_pixels(&text).and_then(ome_size_um) {
        return square_um(size[0], size[1]);
    }
    let [Some(x), Some(y)] = [Tag::XResolution, Tag::YResolution].map(|tag| ratio(reader, tag))
    else {
        return Ok(None);
    };
    let imagej_unit = imagej_value(&text, "unit").and_then(um_per_unit_named);
    let tagged_unit =
        match reader.find_tag_unsigned::<u16>(Tag::ResolutionUnit).map_err(refusal)?.unwrap_or(2) {
            2 => Some(UM_PER_INCH),
            3 => Some(UM_PER_CM),
            _ => None,
        };
    match imagej_unit.or(tagged_unit) {
        Some(um_per_unit) => square_px_per_unit(x, y, um_per_unit),
        None => Ok(None),
    }
}

fn ratio(reader: &mut Reader<'_>, tag: Tag) -> Option<f64> {
    match reader.find_tag(tag).ok()?? {
        Value::Rational(numerator, denominator) => {
            Some(f64::from(numerator) / f64::from(denominator))
        }
        _ => None,
    }
}

/// The image description; empty when there is none, in Latin-1 when it is not UTF-8.
fn description(reader: &mut Reader<'_>) -> String {
    let mut tags = reader.image_ifd();
    let Some(entry) = tags.find_entry(Tag::ImageDescription) else {
        return String::new();
    };
    let mut bytes = vec![0; entry.count().min(DESCRIPTION_BYTES) as usize];
    let n_read = tags.find_tag_bytes(Tag::ImageDescription, &mut bytes, 0);
    bytes.truncate(n_read.ok().flatten().unwrap_or(0));
    String::from_utf8(bytes)
        .unwrap_or_else(|raw| raw.as_bytes().iter().map(|&byte| char::from(byte)).collect())
}

/// A value among the `key=value` lines that ImageJ writes.
fn imagej_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = text.trim_end_matches('\0').lines();
    lines.next().filter(|first| first.starts_with("ImageJ="))?;
    lines
        .find_map(|line| line.split_once('=').filter(|(name, _)| *name == key))
        .map(|(_, value)| value)
}

/// The attributes of the first `Pixels` element of OME-XML.
fn ome_pixels(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<OME").and_then(|(_, ome)| ome.split_once("<Pixels "))?;
    rest.split_once('>').map(|(attributes, _)| attributes)
}

fn ome_size_um(pixels: &str) -> Option<[f64; 2]> {
    let um = |axis: &str| {
        let size: f64 = attribute(pixels, &format!("PhysicalSize{axis}"))?.parse().ok()?;
        let unit = attribute(pixels, &format!("PhysicalSize{axis}Unit")).unwrap_or("µm");
        let unit = if unit == "&#181;m" || unit == "&#xB5;m" { "µm" } else { unit };
        Some(size * um_per_unit_named(unit)?)
    };
    Some([um("X")?, um("Y")?])
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let is_named =
        |(at, _): &(usize, &str)| *at == 0 || attributes[..*at].ends_with(char::is_whitespace);
    let (at, _) = attributes.match_indices(&format!("{name}=")).find(is_named)?;
    let value = &attributes[at + name.len() + 1..];
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split_once(quote).map(|(value, _)| value)
}
