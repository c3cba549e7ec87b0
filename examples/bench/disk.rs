//! What the disk takes for one acknowledged write.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::stats::Samples;

/// Seconds for each of `count` appends of 4 KiB, with `fdatasync` after each.
pub fn fdatasync(folder: &Path, count: usize) -> Samples {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path).unwrap();
    let page = [0x5a; 4096];
    let samples = (0..count)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&page).unwrap();
            file.sync_data().unwrap();
            started.elapsed().as_secs_f64()
        })
        .collect();
    std::fs::remove_file(path).unwrap();
    samples
}
