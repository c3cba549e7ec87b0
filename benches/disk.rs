//! What the disk takes for one acknowledged write.
//!
//! The mean, as for a step: a disk is slow now and then, and a run of steps meets its slow moments too.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Seconds for each of `count` appends of 4 KiB, with `fdatasync` after each.
pub fn fdatasync(folder: &Path, count: usize) -> f64 {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path).unwrap();
    let page = [0x5a; 4096];
    let started = Instant::now();
    for _ in 0..count {
        file.write_all(&page).unwrap();
        file.sync_data().unwrap();
    }
    let took = started.elapsed();
    std::fs::remove_file(path).unwrap();
    took.as_secs_f64() / count as f64
}
