//! A guide as a program: its fenced blocks carry a label after their language, and are all that the tests run.

use std::path::Path;

/// Ports that take the place of those in the guide, so that tests can run side by side.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) clew: u16,
    pub(crate) checkout: u16,
    pub(crate) stock: u16,
}

pub(crate) struct Guide {
    name: &'static str,
    /// Label and text of each fenced block that has a label.
    blocks: Vec<(String, String)>,
}

impl Guide {
    pub(crate) fn read(name: &'static str, ports: Ports) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/integrations/{name}.md"));
        let mut text = std::fs::read_to_string(path).unwrap();
        for door in ["localhost:4317", "localhost:4318", "localhost:9090"] {
            text = text.replace(door, &format!("localhost:{}", ports.clew));
        }
        for (written, port) in [("5001", ports.checkout), ("5002", ports.stock)] {
            assert!(text.contains(written), "{name}.md does not use port {written}");
            text = text.replace(written, &port.to_string());
        }
        Self { name, blocks: blocks(&text) }
    }

    pub(crate) fn blocks(&self, label: &str) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter(move |(of, _)| of == label).map(|(_, text)| text.as_str())
    }

    /// The only block of that label.
    pub(crate) fn block(&self, label: &str) -> &str {
        let mut found = self.blocks(label);
        match (found.next(), found.next()) {
            (Some(text), None) => text,
            _ => panic!("{}.md must have one block `{label}`", self.name),
        }
    }

    /// Writes each block that is labelled with a file's name.
    pub(crate) fn write_files(&self, folder: &Path) {
        let files: Vec<_> = self.blocks.iter().filter(|(label, _)| label.contains('.')).collect();
        assert!(!files.is_empty(), "{}.md shows no file", self.name);
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
}

/// Label and text of each fenced block of a document that has a label.
pub(crate) fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: String = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        if let Some((_, label)) = info.split_once(' ') {
            blocks.push((label.to_owned(), body));
        }
    }
    blocks
}
