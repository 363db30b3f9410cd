//! The data folder: its lock and its format.

use std::path::{Path, PathBuf};

use crate::OpenError;
use crate::log::recover::LOG_FOLDER;
use crate::log::writer::{UNNAMED_FILE, put_file};
use crate::port::Disk;

/// The newest format of the data folder known here.
pub(crate) const FORMAT: u32 = 1;

const FORMAT_FILE: &str = "FORMAT";
const LOCK_FILE: &str = "LOCK";

/// Refuses a folder that holds files and neither a format nor a log: it is somebody else's, and a typing mistake is
/// likelier than a wish to mix. Nothing is written to it.
pub(crate) fn refuse_foreign(data_dir: &Path, disk: &dyn Disk) -> Result<(), OpenError> {
    let list = |folder: &Path| disk.list(folder).map_err(OpenError::at(folder));
    // A crash right after the folder was made leaves the lock, and the format under its first name.
    let is_foreign = |name: &str| !name.starts_with('.') && ![LOCK_FILE, UNNAMED_FILE].contains(&name);
    let files = list(data_dir)?;
    let foreign = files.iter().find(|file| is_foreign(&file.name));
    match foreign {
        Some(file)
            if files.iter().all(|file| file.name != FORMAT_FILE) && list(&data_dir.join(LOG_FOLDER))?.is_empty() =>
        {
            Err(OpenError::NotEmpty { path: data_dir.display().to_string(), file: file.name.clone() })
        }
        _ => Ok(()),
    }
}

/// Locks the data folder for this process.
pub(crate) fn lock(data_dir: &Path, disk: &dyn Disk) -> Result<Box<dyn Send + Sync>, OpenError> {
    let path = data_dir.join(LOCK_FILE);
    disk.lock(&path, &format!("pid {}\n", std::process::id())).map_err(|error| {
        if error.kind() != std::io::ErrorKind::WouldBlock {
            return OpenError::at(&path)(error);
        }
        let holder = disk.read(&path, 0, 64).unwrap_or_default();
        let holder: String =
            String::from_utf8_lossy(&holder).trim().chars().filter(|letter| !letter.is_control()).collect();
        let holder = if holder.is_empty() { "process unknown".to_owned() } else { holder };
        OpenError::Locked { path: data_dir.display().to_string(), holder }
    })
}

/// Checks the folder's format; `None` when it has none yet.
pub(crate) fn format(data_dir: &Path, disk: &dyn Disk) -> Result<Option<u32>, OpenError> {
    let path = format_path(data_dir);
    let text = match disk.read(&path, 0, 4096) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(OpenError::at(&path))?,
    };
    let text = String::from_utf8_lossy(&text);
    let found =
        text.lines().next().and_then(|line| line.strip_prefix("clew ")).and_then(|number| number.trim().parse().ok());
    match found {
        None => Err(OpenError::Foreign { path: path.display().to_string() }),
        Some(found) if found > FORMAT => {
            Err(OpenError::Newer { path: path.display().to_string(), found, known: FORMAT })
        }
        found => Ok(found),
    }
}

/// Writes the FORMAT file of a new folder.
pub(crate) fn put_format(data_dir: &Path, disk: &dyn Disk) -> Result<(), OpenError> {
    let text = format!(
        "clew {FORMAT}\nThis folder belongs to clew. The line above is the version of its format; a clew that knows only \
         older ones refuses it.\n"
    );
    put_file(disk, data_dir, FORMAT_FILE, text.len() as u64, &[(0, text.as_bytes())])
        .map(drop)
        .map_err(|error| OpenError::at(&format_path(data_dir))(error.into()))
}

fn format_path(data_dir: &Path) -> PathBuf {
    data_dir.join(FORMAT_FILE)
}
