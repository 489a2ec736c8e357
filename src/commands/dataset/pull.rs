//! `cellgate dataset pull`: brings the files that manifests and cards name and that are not there.

use crate::ui::Ui;
use crate::ui::change::base_name;
use crate::ui::failure::Failure;
use crate::ui::inputs;
use crate::ui::progress::Progress;
use cellgate_core::profile::Unet;
use cellgate_gate::exit::ExitCode;
use cellgate_github::fetch::{
    FetchError, Fetched, Fetcher, Limits, Need, Wanted, Wish, dataset_needs, model_needs,
};
use cellgate_inputs::dataset::Dataset;
use cellgate_inputs::params::{Loaded, load_all};
use cellgate_inputs::project::{self, DatasetSource, Project, models_folder, params_folder};
use cellgate_inputs::revision::{Tree, TreeError, folder_in_repository, repository_root};
use cellgate_run::cache::Cache;
use cellgate_run::models::{Models, weights_path};
use futures_util::StreamExt as _;
use std::path::{Path, PathBuf};

/// Files that are fetched at the same time.
const AT_ONCE: usize = 4;

/// Fetch the images, masks and weights that are missing
///
/// Reads where they are from `url` in `dataset.yaml` and in the cards of models. Nothing is taken
/// whose sha256 is not the one expected; a download that was cut goes on where it ended. Weights go
/// into the folder of kept results, beside git's own files, where every command finds them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cellgate dataset pull\n  \
    cellgate dataset pull datasets/nuclei\n  cellgate dataset pull --weights --with-base")]
pub(crate) struct Args {
    /// Folder of a dataset, or of a project with all its datasets and models
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Only the weights of the profiles' networks; what else is wrong with the project is not
    /// looked at
    #[arg(long)]
    weights: bool,
    /// The weights of base's profiles, too; base is what `cellgate gate` compares with
    #[arg(long)]
    with_base: bool,
    /// Revision whose profiles' weights are fetched, too
    #[arg(long, value_name = "REV")]
    base: Option<String>,
}

/// Fetches and tells what was fetched.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    let (out, is_quiet) = (&mut *ui.out, ui.is_quiet);
    let needs = needs(args)?;
    let n_needed = needs.len();
    let mut files = Vec::new();
    let mut unknown = Vec::new();
    for need in needs {
        match need.wish() {
            Wish::Wanted(file) => files.push((need.name, *file)),
            Wish::Unknown(_) if need.path.exists() => {}
            Wish::Unknown(None) => unknown.push(format!("`{}`: no `url` is named", need.name)),
            Wish::Unknown(Some(error)) => unknown.push(format!("`{}`: {error}", need.name)),
        }
    }
    if n_needed == 0 {
        writeln!(out, "nothing is missing")?;
        return Ok(ExitCode::Passed);
    }
    let progress = Progress::new(is_quiet);
    let fetched = fetch(files, &progress)?;
    progress.finish();
    let mut n_bytes = 0;
    let mut n_fetched = 0;
    let mut problems = unknown;
    for (name, result) in fetched {
        match result {
            Ok(Fetched::Known) => {}
            Ok(Fetched::Brought(n)) => (n_fetched, n_bytes) = (n_fetched + 1, n_bytes + n),
            Err(error) => problems.push(format!("`{name}`: {error}")),
        }
    }
    writeln!(out, "{n_fetched} files fetched, {n_bytes} bytes; {n_needed} are needed")?;
    if problems.is_empty() { Ok(ExitCode::Passed) } else { Err(Failure::Tool(problems.join("\n"))) }
}

type Results = Vec<(String, Result<Fetched, FetchError>)>;

fn fetch(files: Vec<(String, Wanted)>, progress: &Progress) -> Result<Results, Failure> {
    let fetcher = Fetcher::new(Limits::default())
        .map_err(|error| Failure::tool("nothing is fetched", &error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::tool("no runtime", &error))?;
    let n_files = files.len();
    let fetcher = &fetcher;
    let each = files.into_iter().map(|(name, file)| async move {
        let result = fetcher.fetch(&file).await;
        (name, result)
    });
    Ok(runtime.block_on(async {
        let mut coming = futures_util::stream::iter(each).buffer_unordered(AT_ONCE);
        let mut results = Vec::new();
        while let Some((name, result)) = coming.next().await {
            progress.update(results.len() + 1, n_files, &name);
            results.push((name, result));
        }
        // Downloads end in any order; what is told of them does not.
        results.sort_by(|(one, _), (other, _)| one.cmp(other));
        results
    }))
}

/// Every file that the folder's manifests and cards name.
fn needs(args: &Args) -> Result<Vec<Need>, Failure> {
    let tree = Tree::Folder(args.dir.clone());
    if !args.weights && tree.has_file("dataset.yaml").unwrap_or(false) {
        let dataset = Dataset::load(&tree, ".").map_err(Failure::Findings)?;
        return Ok(dataset_needs(&dataset, &args.dir));
    }
    if !tree.has_file(project::FILE).unwrap_or(false) {
        let display = args.dir.display();
        let text = format!("`{display}` has neither `dataset.yaml` nor `{}`", project::FILE);
        return Err(Failure::Usage(text));
    }
    let mut needs = if args.weights { Vec::new() } else { image_needs(&args.dir, &tree)? };
    let cache = inputs::open_cache(&args.dir);
    needs.extend(weights_needs(&args.dir, &tree, cache.as_ref())?);
    if let Some(base) = base_tree(args)? {
        for more in weights_needs(&args.dir, &base, cache.as_ref())? {
            if needs.iter().all(|need| need.path != more.path) {
                needs.push(more);
            }
        }
    }
    Ok(needs)
}

/// Images and masks of every dataset of a project.
fn image_needs(folder: &Path, tree: &Tree) -> Result<Vec<Need>, Failure> {
    let project = Project::load(tree).map_err(Failure::Findings)?;
    let mut needs = Vec::new();
    for source in project.datasets.values() {
        if let DatasetSource::Folder(dataset) = source {
            let folder = folder.join(dataset);
            let dataset = Dataset::load(tree, dataset).map_err(Failure::Findings)?;
            needs.extend(dataset_needs(&dataset, &folder));
        }
    }
    Ok(needs)
}

/// The project as it stands in base, when that is asked for.
fn base_tree(args: &Args) -> Result<Option<Tree>, Failure> {
    if args.base.is_none() && !args.with_base {
        return Ok(None);
    }
    let to_failure = |error: TreeError| Failure::Tool(error.to_string());
    let repository = repository_root(&args.dir).map_err(to_failure)?;
    let below = folder_in_repository(&args.dir).map_err(to_failure)?;
    let name = base_name(args.base.as_deref(), &repository)?;
    let base = Tree::of_revision(&repository, &name).map_err(to_failure)?;
    base.below(&below).map(Some).map_err(to_failure)
}

/// Weights that the profiles of a tree need and that are nowhere.
fn weights_needs(folder: &Path, tree: &Tree, cache: Option<&Cache>) -> Result<Vec<Need>, Failure> {
    let at = models_folder(tree);
    // What a profile says wrong is told by `validate`; here its network counts, when it has one.
    let (profiles, _): (Vec<Loaded>, _) = load_all(tree, &params_folder(tree), &[]);
    let place = |unet: &Unet| match cache {
        Some(cache) => cache.weights_path(unet.weights),
        None => folder.join(weights_path(&at, unet)),
    };
    model_needs(&profiles, Models::new(tree, &at, cache), place)
        .map_err(|error| Failure::tool("a model's card", &error))
}
