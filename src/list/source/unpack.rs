//! Reads bytes and unpacks what is compressed, within the bound of a list.
//!
//! In: readers and bytes. Out: bytes, at most [`limits::LIST_BYTES`] of them.
//! Always: the bound is kept while unpacking, so that a bomb fails early.

use super::{SourceError, read_error};
use crate::limits;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Whether the first block is that of a tar (POSIX.1-1988 ustar, and what came after).
pub fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// The first block of a file, unpacked; less where it is damaged, which is reported when the file is read.
pub fn read_head(path: &Path) -> Result<Vec<u8>, SourceError> {
    let mut file = fs::File::open(path).map_err(read_error(path))?;
    let mut magic = [0u8; 6];
    let mut head = Vec::with_capacity(512);
    let length = read_some(&mut file, &mut magic).map_err(read_error(path))?;
    let rest = io::Cursor::new(magic).take(length as u64).chain(file);
    let packing = Packing::of(&magic[..length]);
    let _ = packing
        .reader(rest)
        .and_then(|mut reader| reader.by_ref().take(512).read_to_end(&mut head));
    Ok(head)
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// How bytes are compressed, told by their first ones and never by a file name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
    Xz,
}

impl Packing {
    fn of(bytes: &[u8]) -> Packing {
        match bytes {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            _ => Packing::None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Packing::None => "plain",
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Xz => "xz",
        }
    }

    fn reader<'a>(self, bytes: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Packing::None => Box::new(bytes),
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::new(bytes)?;
                // The window may be as large as the list; 2^30 is that bound, and the memory is needed for the list anyway.
                decoder.window_log_max(30)?;
                Box::new(decoder)
            }
            Packing::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(bytes)),
        })
    }
}

/// Reads a file to its end. One that says itself that it is larger than a list may be is not read at all.
pub fn read_file(path: &Path) -> Result<Vec<u8>, SourceError> {
    let file = fs::File::open(path).map_err(read_error(path))?;
    let length = file.metadata().map_err(read_error(path))?.len();
    if length > limits::LIST_BYTES {
        return Err(too_large(path));
    }
    read_bounded(file, path)
}

/// Reads to the end, or to the bound of a list.
pub fn read_bounded(reader: impl Read, path: &Path) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    reader
        .take(limits::LIST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(read_error(path))?;
    if bytes.len() as u64 > limits::LIST_BYTES {
        return Err(too_large(path));
    }
    Ok(bytes)
}

fn too_large(path: &Path) -> SourceError {
    SourceError::TooLarge {
        path: path.display().to_string(),
    }
}

/// Unpacked lists up to this size are kept as they come, in bytes; what a larger one comes to is counted first, so that a
/// bomb costs time but no memory. It is several times what large public lists take, so nothing good is unpacked twice.
const TRUSTED_BYTES: u64 = 128 << 20;

/// Unpacks what is compressed. The bound is kept while unpacking, so that a bomb fails early.
pub fn unpack(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>, SourceError> {
    let packing = Packing::of(&bytes);
    if packing == Packing::None {
        return Ok(bytes);
    }
    let damaged = |cause| SourceError::Packed {
        path: path.display().to_string(),
        how: packing.word(),
        cause,
    };
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(4).min(TRUSTED_BYTES as usize));
    let mut reader = packing.reader(&bytes[..]).map_err(damaged)?;
    reader
        .by_ref()
        .take(TRUSTED_BYTES)
        .read_to_end(&mut out)
        .map_err(damaged)?;
    if out.len() as u64 == TRUSTED_BYTES {
        let whole = packing.reader(&bytes[..]).map_err(damaged)?;
        let length = io::copy(&mut whole.take(limits::LIST_BYTES + 1), &mut io::sink()).map_err(damaged)?;
        if length > limits::LIST_BYTES {
            return Err(too_large(path));
        }
        out.reserve_exact((length - TRUSTED_BYTES) as usize);
        reader.read_to_end(&mut out).map_err(damaged)?;
    }
    Ok(out)
}
