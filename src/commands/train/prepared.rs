//! Inputs that a training needs before it begins: recipe, name, dataset and the division of its
//! fields.

use super::args::Args;
use crate::ui::failure::Failure;
use crate::ui::inputs;
use cellgate_core::profile::{Channel, Unet};
use cellgate_core::unet::architecture::Architecture;
use cellgate_inputs::dataset::{Dataset, Split};
use cellgate_inputs::params::Loaded;
use cellgate_inputs::revision::Tree;
use cellgate_train::division::Division;
use cellgate_train::recipe::Recipe;
use cellgate_train::sample::{Sample, read};
use std::io::Read as _;
use std::path::Path;

/// File of the training's recipe.
pub(super) const RECIPE_FILE: &str = "recipe.json";

/// Largest recipe.
const MAX_RECIPE_BYTES: u64 = 1 << 20;

/// The name of a model whose folder has no plain name.
const DEFAULT_NAME: &str = "model";

/// A dataset and what is to be learned from it.
pub(super) struct Prepared {
    /// The model's name.
    pub(super) name: String,
    pub(super) recipe: Recipe,
    tree: Tree,
    pub(super) dataset: Dataset,
    pub(super) division: Division,
}

impl Prepared {
    /// Opens the dataset.
    pub(super) fn new(args: &Args, name: String, recipe: Recipe) -> Result<Self, Failure> {
        let folder = if args.data.is_file() { args.data.parent() } else { Some(&*args.data) };
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let tree = Tree::Folder(folder.unwrap_or(Path::new(".")).to_owned());
        let dataset = Dataset::load(&tree, ".").map_err(Failure::Findings)?;
        let division = Division::of(&dataset, recipe.sampling.validation_fraction, recipe.seed);
        Ok(Self { name, recipe, tree, dataset, division })
    }

    /// Fields as they are learned from.
    pub(super) fn samples(&self, fields: &[usize]) -> Result<Vec<Sample>, Failure> {
        read(&self.dataset, &self.tree, fields, &self.recipe.input).map_err(Failure::Findings)
    }

    /// The fields for testing that have a truth.
    pub(super) fn test(&self) -> Vec<usize> {
        let fields = self.dataset.fields();
        let is_test =
            |place: &usize| fields[*place].split == Split::Test && fields[*place].mask.is_some();
        (0..fields.len()).filter(is_test).collect()
    }
}

/// The model's name, and the recipe of file, profile and options.
pub(super) fn recipe(args: &Args) -> Result<(String, Recipe), Failure> {
    let goes_on = args.resume || args.finish;
    let own = args.out.join(RECIPE_FILE);
    let training = goes_on.then(|| read_recipe(&own, Recipe::from_training));
    let mut recipe = match (&args.recipe, training) {
        (Some(path), Some(Ok(training))) => {
            read_recipe(path, |it| Recipe::for_resume(it, &training))?
        }
        (Some(path), _) => read_recipe(path, Recipe::from_json)?,
        (None, Some(training)) => training?,
        (None, None) => Recipe::default(),
    };
    let profile = args.profile.as_deref().map(inputs::load_profile).transpose()?;
    let unet = profile.as_ref().map(network).transpose()?;
    if let (Some(profile), Some(unet)) = (&profile, unet) {
        apply_network(&mut recipe, unet, profile.params.image.modality.is_brightfield());
    }
    let optimization = &mut recipe.optimization;
    override_with(&mut optimization.steps, args.steps);
    override_with(&mut optimization.rate, args.rate);
    override_with(&mut optimization.validate_every, args.validate_every);
    override_with(&mut recipe.sampling.batch, args.batch);
    override_with(&mut recipe.sampling.crop_px, args.crop);
    args.preparation.set(&mut recipe.input.preparation).map_err(Failure::Findings)?;
    override_with(&mut recipe.architecture.base_width, args.base_width);
    override_with(&mut recipe.architecture.depth, args.depth);
    override_with(&mut recipe.seed, args.seed);
    let problems = recipe.problems();
    if !problems.is_empty() {
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Failure::Usage(texts.join("; ")));
    }
    Ok((name(args, unet)?, recipe))
}

fn override_with<T>(value: &mut T, replacement: Option<T>) {
    if let Some(replacement) = replacement {
        *value = replacement;
    }
}

fn read_recipe(
    path: &Path,
    of: impl Fn(&[u8]) -> serde_json::Result<Recipe>,
) -> Result<Recipe, Failure> {
    let bytes = read_bounded(path, MAX_RECIPE_BYTES)?;
    of(&bytes).map_err(|error| Failure::tool(&format!("`{}`", path.display()), &error))
}

fn network(profile: &Loaded) -> Result<&Unet, Failure> {
    profile.params.unet().ok_or_else(|| {
        Failure::Usage(format!("profile `{}` has no `method: unet`", profile.params.name))
    })
}

/// Takes over what a profile says of its network.
fn apply_network(recipe: &mut Recipe, unet: &Unet, is_brightfield: bool) {
    let inputs = unet.channels.len();
    recipe.architecture = Architecture {
        in_channels: inputs as u32,
        base_width: unet.base_width,
        depth: unet.depth,
        normalization: unet.normalization,
        up_sampling: unet.up_sampling,
    };
    // The other kind of image keeps its usual channels, if it has any for so many inputs.
    if is_brightfield {
        recipe.input.color_channels.clone_from(&unet.channels);
        recipe.input.gray_channels = vec![Channel::Gray; inputs];
    } else {
        recipe.input.gray_channels.clone_from(&unet.channels);
        if inputs != recipe.input.color_channels.len() {
            recipe.input.color_channels = vec![Channel::OdSum; inputs];
        }
    }
}

/// The name that was given, the profile's, or the folder's.
fn name(args: &Args, unet: Option<&Unet>) -> Result<String, Failure> {
    let is_plain = |name: &str| {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        (1..=100).contains(&name.len()) && name.chars().all(is_letter) && !name.starts_with('.')
    };
    if let Some(name) = &args.name {
        if is_plain(name) {
            return Ok(name.clone());
        }
        let text = "`--name` needs 1 to 100 letters, digits, `-`, `_` or `.`";
        return Err(Failure::Usage(text.to_owned()));
    }
    if let Some(unet) = unet {
        return Ok(unet.model.clone());
    }
    let folder = args.out.canonicalize().unwrap_or_else(|_| args.out.clone());
    let name = folder.file_name().and_then(|name| name.to_str()).filter(|name| is_plain(name));
    Ok(name.unwrap_or(DEFAULT_NAME).to_owned())
}

/// Reads a file of at most so many bytes.
pub(super) fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let to_failure = |error| Failure::tool(&format!("`{}` cannot be read", path.display()), &error);
    let file = std::fs::File::open(path).map_err(to_failure)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(to_failure)?;
    if bytes.len() as u64 > most {
        return Err(Failure::Tool(format!("`{}` is larger than {most} bytes", path.display())));
    }
    Ok(bytes)
}
