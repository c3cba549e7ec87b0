//! The arguments that name a plan and the values of its variables.

use std::path::PathBuf;

/// Which plan, and the values of its variables: shared by every command that reads one.
#[derive(clap::Args, Clone, Debug)]
pub struct SourceArgs {
    /// The plan: a `.hcl` file, or a folder whose `.hcl` files are merged
    #[arg(value_name = "FILE", default_value = ".")]
    pub file: PathBuf,

    /// A variable's value; may be given again for others
    #[arg(long, value_name = "NAME=VALUE")]
    pub var: Vec<String>,

    /// A file of variable values, `.hcl` or `.json`; may be given again, later ones win
    #[arg(long, value_name = "FILE")]
    pub var_file: Vec<PathBuf>,
}
