//! One file, with direct I/O where the file system allows it.

use super::detect::SyncMethod;
use crate::limits::BLOCK_LEN;
use glommio::GlommioError;
use glommio::io::{BufferedFile, DmaFile, OpenOptions};
use rustix::fs::OFlags;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// A file that is open for reading and writing.
pub(super) enum File {
    /// Bypasses the page cache; through glommio's registered memory.
    Direct(DmaFile),
    /// Where O_DIRECT is refused.
    Buffered(BufferedFile),
}

/// Largest piece handed to the kernel at once. Bytes. Beyond it direct writes gain nothing, and the arena fills up.
const PIECE_LEN: usize = 1 << 20;

impl File {
    /// Creates the file if need be.
    pub(super) async fn open(path: &Path, direct: bool, sync_method: SyncMethod) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        if sync_method == SyncMethod::WriteThrough {
            options.custom_flags(OFlags::DSYNC.bits() as i32);
        }
        Ok(if direct {
            File::Direct(options.dma_open(path).await.map_err(io_error)?)
        } else {
            File::Buffered(options.buffered_open(path).await.map_err(io_error)?)
        })
    }

    /// Writes all of `data`, whole blocks, at a block border.
    pub(super) async fn write_all(&self, data: &[u8], offset: u64) -> io::Result<()> {
        assert!(data.len().is_multiple_of(BLOCK_LEN) && offset.is_multiple_of(BLOCK_LEN as u64));
        let mut at = 0;
        while at < data.len() {
            let piece = &data[at..data.len().min(at + PIECE_LEN)];
            let written = match self {
                File::Direct(file) => {
                    let mut memory = file.alloc_dma_buffer(piece.len());
                    memory.as_bytes_mut().copy_from_slice(piece);
                    file.write_at(memory, offset + at as u64).await
                }
                File::Buffered(file) => file.write_at(piece.to_vec(), offset + at as u64).await,
            };
            at += some(written.map_err(io_error)?, io::ErrorKind::WriteZero)?;
        }
        Ok(())
    }

    /// Fills `data`, whole blocks, from a block border. Errors: `UnexpectedEof` where the file is shorter.
    pub(super) async fn read_exact(&self, data: &mut [u8], offset: u64) -> io::Result<()> {
        let mut at = 0;
        while at < data.len() {
            let (from, len) = (offset + at as u64, (data.len() - at).min(PIECE_LEN));
            let read = match self {
                File::Direct(file) => file.read_at_aligned(from, len).await,
                File::Buffered(file) => file.read_at(from, len).await,
            };
            let read = read.map_err(io_error)?;
            data[at..at + read.len()].copy_from_slice(&read);
            at += some(read.len(), io::ErrorKind::UnexpectedEof)?;
        }
        Ok(())
    }

    /// Really writes zeros from the start up to `len`. Lets others run between the pieces.
    pub(super) async fn write_zeros(&self, len: u64) -> io::Result<()> {
        let memory = match self {
            File::Direct(file) => {
                let mut memory = file.alloc_dma_buffer(PIECE_LEN);
                memory.as_bytes_mut().fill(0);
                Some(Rc::new(memory))
            }
            File::Buffered(_) => None,
        };
        let mut at = 0;
        while at < len {
            let written = match (self, &memory) {
                (File::Direct(file), Some(memory)) if len - at >= PIECE_LEN as u64 => {
                    file.write_rc_at(Rc::clone(memory), at).await.map_err(io_error)?
                }
                _ => {
                    let piece = vec![0; (len - at).min(PIECE_LEN as u64) as usize];
                    self.write_all(&piece, at).await?;
                    piece.len()
                }
            };
            at += some(written, io::ErrorKind::WriteZero)? as u64;
            glommio::executor().yield_task_queue_now().await;
        }
        Ok(())
    }

    /// Makes everything durable that was written, as far as the device tells the truth.
    pub(super) async fn sync(&self) -> io::Result<()> {
        match self {
            File::Direct(file) => file.fdatasync().await,
            File::Buffered(file) => file.fdatasync().await,
        }
        .map_err(io_error)
    }

    /// Length in bytes.
    pub(super) async fn len(&self) -> io::Result<u64> {
        match self {
            File::Direct(file) => file.file_size().await,
            File::Buffered(file) => file.file_size().await,
        }
        .map_err(io_error)
    }

    pub(super) async fn set_len(&self, len: u64) -> io::Result<()> {
        match self {
            File::Direct(file) => file.truncate(len).await,
            File::Buffered(file) => file.truncate(len).await,
        }
        .map_err(io_error)
    }

    pub(super) async fn close(self) -> io::Result<()> {
        match self {
            File::Direct(file) => file.close().await,
            File::Buffered(file) => file.close().await,
        }
        .map_err(io_error)
    }
}

/// An operation that moves nothing would be repeated for ever.
fn some(moved: usize, otherwise: io::ErrorKind) -> io::Result<usize> {
    if moved == 0 { Err(otherwise.into()) } else { Ok(moved) }
}

/// The error of the operating system inside glommio's.
fn io_error(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::IoError(error) => error,
        GlommioError::EnhancedIoError { source, .. } => source,
        other => io::Error::other(other.to_string()),
    }
}
