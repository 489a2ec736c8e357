//! `cellgate dataset pull`: brings the files that manifests and cards name and that are not there.

use super::failure::Failure;
use super::inputs;
use super::progress::Progress;
use cellgate::dataset::Dataset;
use cellgate::fetch::{Fetched, Fetcher, Limits, Need, Wanted, Wish, of_dataset, of_models};
use cellgate::params::{Loaded, Unet, load_all};
use cellgate::project::{self, DatasetSource, Project, models_folder};
use cellgate::revision::{Tree, TreeError};
use cellgate::run::cache::Cache;
use cellgate::run::models::{Models, weights_path};
use cellgate::validate::known_measurements;
use futures_util::StreamExt as _;
use std::io::Write;
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
    cellgate dataset pull datasets/nuclei\n  cellgate dataset pull --base origin/main")]
pub(crate) struct Args {
    /// Folder of a dataset, or of a project with all its datasets and models
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Revision whose profiles' weights are fetched, too
    #[arg(long, value_name = "REV")]
    base: Option<String>,
}

/// Fetches and tells what was fetched.
pub(crate) fn run(args: &Args, out: &mut dyn Write, is_quiet: bool) -> Result<u8, Failure> {
    let needs = needs(args)?;
    let n_needed = needs.len();
    let mut wanted = Vec::new();
    let mut unknown = Vec::new();
    for need in needs {
        match need.wish() {
            Wish::Wanted(file) => wanted.push((need.name, *file)),
            Wish::Unknown(_) if need.path.exists() => {}
            Wish::Unknown(None) => unknown.push(format!("`{}`: no `url` is named", need.name)),
            Wish::Unknown(Some(error)) => unknown.push(format!("`{}`: {error}", need.name)),
        }
    }
    if n_needed == 0 {
        writeln!(out, "nothing is missing")?;
        return Ok(0);
    }
    let progress = Progress::new(is_quiet);
    let fetched = fetch(wanted, &progress)?;
    progress.finish();
    let mut n_bytes = 0;
    let mut n_brought = 0;
    let mut failed = unknown;
    for (name, result) in fetched {
        match result {
            Ok(Fetched::Known) => {}
            Ok(Fetched::Brought(n)) => (n_brought, n_bytes) = (n_brought + 1, n_bytes + n),
            Err(why) => failed.push(format!("`{name}`: {why}")),
        }
    }
    writeln!(out, "{n_brought} files fetched, {n_bytes} bytes; {n_needed} are needed")?;
    if failed.is_empty() { Ok(0) } else { Err(Failure::Tool(failed.join("\n"))) }
}

type Results = Vec<(String, Result<Fetched, String>)>;

fn fetch(wanted: Vec<(String, Wanted)>, progress: &Progress) -> Result<Results, Failure> {
    let fetcher = Fetcher::new(Limits::default())
        .map_err(|error| Failure::tool("nothing is fetched", &error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::tool("no runtime", &error))?;
    let n_wanted = wanted.len();
    let fetcher = &fetcher;
    let each = wanted.into_iter().map(|(name, file)| async move {
        let result = fetcher.fetch(&file).await.map_err(|error| error.to_string());
        (name, result)
    });
    Ok(runtime.block_on(async {
        let mut coming = futures_util::stream::iter(each).buffer_unordered(AT_ONCE);
        let mut done = Vec::new();
        while let Some((name, result)) = coming.next().await {
            progress.tell(done.len() + 1, n_wanted, &name);
            done.push((name, result));
        }
        // Downloads end in any order; what is told of them does not.
        done.sort_by(|(one, _), (other, _)| one.cmp(other));
        done
    }))
}

/// Every file that the folder's manifests and cards name.
fn needs(args: &Args) -> Result<Vec<Need>, Failure> {
    let tree = Tree::Folder(args.dir.clone());
    if tree.has_file("dataset.yaml").unwrap_or(false) {
        let dataset = Dataset::load(&tree, ".").map_err(Failure::Findings)?;
        return Ok(of_dataset(&dataset, &args.dir));
    }
    if !tree.has_file(project::FILE).unwrap_or(false) {
        let shown = args.dir.display();
        let text = format!("`{shown}` has neither `dataset.yaml` nor `{}`", project::FILE);
        return Err(Failure::Usage(text));
    }
    let project = Project::load(&tree, &known_measurements()).map_err(Failure::Findings)?;
    let mut needs = Vec::new();
    for source in project.datasets.values() {
        if let DatasetSource::Folder(folder) = source {
            let dataset = Dataset::load(&tree, folder).map_err(Failure::Findings)?;
            needs.extend(of_dataset(&dataset, &args.dir.join(folder)));
        }
    }
    let cache = inputs::kept(&args.dir);
    needs.extend(weights(&args.dir, &tree, &project.params, cache.as_ref())?);
    if let Some(revision) = &args.base {
        let base = base(&args.dir, revision).map_err(|error| Failure::Tool(error.to_string()))?;
        let more = weights(&args.dir, &base, &project.params, cache.as_ref())?;
        let more = more.into_iter().filter(|more| needs.iter().all(|need| need.path != more.path));
        let more: Vec<Need> = more.collect();
        needs.extend(more);
    }
    Ok(needs)
}

/// A folder as it stands in a revision.
fn base(folder: &Path, revision: &str) -> Result<Tree, TreeError> {
    let below = cellgate::revision::folder_in_repository(folder)?;
    Tree::of_revision(folder, revision)?.below(&below)
}

/// Weights that the profiles of a tree need and that are nowhere.
fn weights(
    folder: &Path,
    tree: &Tree,
    params: &str,
    cache: Option<&Cache>,
) -> Result<Vec<Need>, Failure> {
    let at = models_folder(tree);
    // What a profile says wrong is told by `validate`; here its network counts, when it has one.
    let (profiles, _): (Vec<Loaded>, _) = load_all(tree, params, &[]);
    let place = |unet: &Unet| match cache {
        Some(cache) => cache.weights_path(unet.weights),
        None => folder.join(weights_path(&at, unet)),
    };
    of_models(&profiles, Models::new(tree, &at, cache), place)
        .map_err(|error| Failure::tool("a model's card", &error))
}
