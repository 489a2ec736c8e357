//! Cache: results of runs by digest, so that what did not change is not computed again.
//!
//! A result is kept under the digest of everything it depends on: profile, field, pixel size and
//! engine. Weights of networks are kept under their own. An entry that is torn, foreign or too large is as good as none; nothing here can make a
//! result wrong, only slow.

use super::field::FieldRun;
use super::write::{WriteError, replace};
use cellgate_core::digest::Digest;
use cellgate_core::measure::{Class, Column, Nuclei};
use cellgate_core::raster::Labels;
use cellgate_core::score::Summary;
use cellgate_core::unet::weights::MAX_FILE_BYTES;
use cellgate_core::units::PixelSize;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// First bytes of an entry; the number is the format's version.
const MAGIC: &[u8; 8] = b"CGRUN\0\0\x01";

/// Entries larger than this are not read.
pub const MAX_ENTRY_BYTES: u64 = 1 << 30;

/// A folder of results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// Everything that a result depends on.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Digest of the validated profile.
    pub params: Digest,
    /// Digest of the field's image file.
    pub field: Digest,
    /// The pixel size that lengths are converted with.
    pub pixel_size: Option<PixelSize>,
    /// Fingerprint of the engine.
    pub engine: Digest,
}

impl Key {
    /// Digest of everything that the result depends on, the version of cellgate included.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let pixel =
            self.pixel_size.map_or_else(|| "none".to_owned(), |pixel| pixel.um().to_string());
        let version = env!("CARGO_PKG_VERSION");
        let text = format!("{} {} {pixel} {} {version}", self.params, self.field, self.engine);
        Digest::of_bytes(text.as_bytes())
    }
}

impl Cache {
    /// A cache in a folder, which need not exist yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The result under a key, when there is a sound one.
    #[must_use]
    pub fn load(&self, key: &Key) -> Option<FieldRun> {
        let path = self.path(key, "run");
        let size = std::fs::metadata(&path).ok()?.len();
        if size > MAX_ENTRY_BYTES {
            return None;
        }
        decode(&std::fs::read(path).ok()?)
    }

    /// Keeps a result.
    ///
    /// # Errors
    /// [`WriteError`] when the folder cannot be written.
    pub fn store(&self, key: &Key, run: &FieldRun) -> Result<(), WriteError> {
        replace(&self.path(key, "run"), &encode(run))
    }

    /// Whether a result was computed twice before, with the same numbers both times.
    #[must_use]
    pub fn is_repeated(&self, key: &Key, numbers: Digest) -> bool {
        let content = std::fs::read(self.path(key, "twice"));
        content.is_ok_and(|content| content == numbers.to_string().as_bytes())
    }

    /// Notes that a result was computed twice with the same numbers.
    ///
    /// # Errors
    /// [`WriteError`] when the folder cannot be written.
    pub fn note_repeated(&self, key: &Key, numbers: Digest) -> Result<(), WriteError> {
        replace(&self.path(key, "twice"), numbers.to_string().as_bytes())
    }

    /// The weights of a network by their digest, when they are kept and sound.
    #[must_use]
    pub fn weights(&self, weights: Digest) -> Option<Vec<u8>> {
        let path = self.weights_path(weights);
        if std::fs::metadata(&path).ok()?.len() > MAX_FILE_BYTES as u64 {
            return None;
        }
        std::fs::read(path).ok().filter(|bytes| Digest::of_bytes(bytes) == weights)
    }

    /// Where the weights of a network are kept: whoever writes them there checks their digest.
    #[must_use]
    pub fn weights_path(&self, weights: Digest) -> PathBuf {
        self.file_path(&weights.to_string(), "safetensors")
    }

    fn path(&self, key: &Key, ending: &str) -> PathBuf {
        self.file_path(&key.digest().to_string(), ending)
    }

    fn file_path(&self, name: &str, ending: &str) -> PathBuf {
        self.folder.join(&name[..2]).join(format!("{name}.{ending}"))
    }
}

/// Head of an entry: size of the field, table and summary.
#[derive(Serialize, Deserialize)]
struct Head {
    width: u32,
    height: u32,
    labels: Vec<u32>,
    columns: Vec<(String, Vec<Option<f64>>)>,
    classes: Option<Vec<String>>,
    n_nuclei: u32,
    density_per_mm2: Option<f64>,
    area_fraction: f64,
    positive_percent: Option<f64>,
    h_score: Option<f64>,
    allred: Option<u32>,
    brightness_mean: f64,
}

/// An entry's bytes: magic, length of the head, head, runs of labels, digest of all before.
pub fn encode(run: &FieldRun) -> Vec<u8> {
    let summary = &run.summary;
    let columns =
        run.nuclei.columns.iter().map(|column| (column.name.clone(), column.values.clone()));
    let classes = run.nuclei.classes.as_ref();
    let head = Head {
        width: run.labels.width(),
        height: run.labels.height(),
        labels: run.nuclei.labels.clone(),
        columns: columns.collect(),
        classes: classes
            .map(|classes| classes.iter().map(|class| class.as_str().to_owned()).collect()),
        n_nuclei: summary.n_nuclei,
        density_per_mm2: summary.density_per_mm2,
        area_fraction: summary.area_fraction,
        positive_percent: summary.positive_percent,
        h_score: summary.h_score,
        allred: summary.allred,
        brightness_mean: summary.brightness_mean,
    };
    let head = serde_json::to_vec(&head).unwrap_or_default();
    let mut bytes = MAGIC.to_vec();
    bytes.extend((head.len() as u64).to_le_bytes());
    bytes.extend(head);
    for stretch in run.labels.samples().chunk_by(|a, b| a == b) {
        bytes.extend(stretch[0].to_le_bytes());
        bytes.extend((stretch.len() as u32).to_le_bytes());
    }
    let digest = Digest::of_bytes(&bytes).to_string();
    bytes.extend(digest.as_bytes());
    bytes
}

/// The result in an entry's bytes; `None` when they are torn, changed or foreign.
pub fn decode(bytes: &[u8]) -> Option<FieldRun> {
    let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(64)?)?;
    if digest != Digest::of_bytes(content).to_string().as_bytes() {
        return None;
    }
    let rest = content.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (head, runs) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let n_px = head.width as usize * head.height as usize;
    let mut samples = Vec::with_capacity(n_px.min(runs.len() * 64));
    for run in runs.as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *run;
        let count = u32::from_le_bytes([e, f, g, h]) as usize;
        if samples.len() + count > n_px {
            return None;
        }
        samples.resize(samples.len() + count, u32::from_le_bytes([a, b, c, d]));
    }
    let labels = Labels::from_samples(head.width, head.height, samples)?;
    let classes = match head.classes {
        Some(names) => Some(names.iter().map(|name| Class::parse(name)).collect::<Option<_>>()?),
        None => None,
    };
    let column = |(name, values)| Column { name, values };
    Some(FieldRun {
        nuclei: Nuclei {
            labels: head.labels,
            columns: head.columns.into_iter().map(column).collect(),
            classes,
        },
        summary: Summary {
            width_px: labels.width(),
            height_px: labels.height(),
            n_nuclei: head.n_nuclei,
            density_per_mm2: head.density_per_mm2,
            area_fraction: head.area_fraction,
            positive_percent: head.positive_percent,
            h_score: head.h_score,
            allred: head.allred,
            brightness_mean: head.brightness_mean,
        },
        labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::labels;

    fn run() -> FieldRun {
        FieldRun {
            labels: labels![0, 1, 1; 2, 0, 1],
            nuclei: Nuclei {
                labels: vec![1, 2],
                columns: vec![Column {
                    name: "area_px2".into(),
                    values: vec![Some(0.1 + 0.2), None],
                }],
                classes: Some(vec![Class::Negative, Class::TwoPlus]),
            },
            summary: Summary { width_px: 3, height_px: 2, n_nuclei: 2, ..Summary::default() },
        }
    }

    #[test]
    fn an_entry_reads_back_to_the_last_bit() {
        assert_eq!(decode(&encode(&run())), Some(run()));
    }

    #[test]
    fn a_torn_or_changed_entry_is_none() {
        let entry = encode(&run());
        for end in 0..entry.len() {
            assert_eq!(decode(&entry[..end]), None, "{end}");
        }
        for at in 0..entry.len() {
            let mut copy = entry.clone();
            copy[at] ^= 1;
            assert_eq!(decode(&copy), None, "{at}");
        }
    }

    #[test]
    fn keys_differ_in_every_part() {
        let (a, b) = (Digest::of_bytes(b"1"), Digest::of_bytes(b"2"));
        let key = Key { params: a, field: a, pixel_size: None, engine: a };
        let others = [
            Key { params: b, ..key },
            Key { field: b, ..key },
            Key { pixel_size: PixelSize::from_um(0.5), ..key },
            Key { engine: b, ..key },
        ];
        assert!(others.iter().all(|other| other.digest() != key.digest()));
    }
}
