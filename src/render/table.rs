//! Tables on a terminal.

use comfy_table::presets::{NOTHING, UTF8_HORIZONTAL_ONLY};
use comfy_table::{ContentArrangement, Table};

/// A table with lines between its rows. Width in columns.
pub(crate) fn ruled<const N: usize>(header: [&str; N], width: usize) -> Table {
    let mut table = bare(header, width);
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table
}

/// A table without lines. Width in columns.
pub(crate) fn bare<const N: usize>(header: [&str; N], width: usize) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(header)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX));
    table
}
