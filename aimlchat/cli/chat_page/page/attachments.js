'use strict';
// The files of a question. A file is plain data that survives a reload: its id in the file store,
// its name, kind (image, pdf, audio or text), size in bytes, and thumbnail as a data: URL.

const MAX_FILES_SIZE = 45 * 1024 * 1024; // of a conversation; in base64 it fits into one message
const THUMBNAIL_SIZE = 240; // in px
const TAKEN_KINDS = 'PNG, JPEG, GIF, WebP, PDF, WAV, MP3, or text in UTF-8';
const KIND_NAMES = { image: 'images', pdf: 'PDFs', audio: 'audio' };

// The first bytes of the formats: offset, text, kind. The name of a file is often wrong.
const SIGNATURES = [
  [0, '\x89PNG\r\n\x1a\n', 'image'],
  [0, '\xff\xd8\xff', 'image'],
  [0, 'GIF87a', 'image'],
  [0, 'GIF89a', 'image'],
  [8, 'WEBP', 'image'],
  [0, '%PDF-', 'pdf'],
  [8, 'WAVE', 'audio'],
  [0, 'ID3', 'audio'],
];
const MPEG_FRAME = /^\xff[\xe2\xe3\xf2\xf3\xfa\xfb]/;

// Returns the kind of a file by its bytes, or null for a format that no model takes.
function detectKind(bytes) {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  const found = SIGNATURES.find(([offset, text]) => start.startsWith(text, offset));
  if (found) return found[2];
  if (MPEG_FRAME.test(start)) return 'audio';
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text && !text.includes('\0') ? 'text' : null;
  } catch {
    return null;
  }
}

// Reads a file that the user gave. Throws an error with a sentence for the user.
async function readFile(blob, freeSize) {
  const name = blob.name || 'file';
  if (blob.size > freeSize) {
    throw new Error(`${name} does not fit: the files of a conversation may have ${formatSize(MAX_FILES_SIZE)} together.`);
  }
  const bytes = new Uint8Array(await blob.arrayBuffer().catch(() => {
    throw new Error(`${name} cannot be read.`); // a folder, or a file that was removed
  }));
  if (!bytes.length) throw new Error(`${name} is empty.`);
  const kind = detectKind(bytes);
  if (!kind) throw new Error(`${name} cannot be sent: it has to be ${TAKEN_KINDS}.`);
  const file = { id: crypto.randomUUID(), name, kind, size: blob.size, thumbnail: '' };
  if (kind === 'image') file.thumbnail = await createThumbnail(blob);
  fileStore.put(file.id, await encodeBase64(blob));
  return file;
}

function encodeBase64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => reject(new Error(`${blob.name} cannot be read.`));
    reader.readAsDataURL(blob);
  });
}

// Returns '' for an image that this browser cannot show; the model may take it all the same.
async function createThumbnail(blob) {
  try {
    const image = await createImageBitmap(blob);
    const scale = Math.min(1, THUMBNAIL_SIZE / Math.max(image.width, image.height));
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    return canvas.toDataURL('image/webp', 0.8);
  } catch {
    return '';
  }
}

function formatSize(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 999500) return `${Math.round(bytes / 1000)} KB`;
  return `${Number((bytes / 1024 ** 2).toFixed(1))} MB`;
}

// Shows files in a list; with `onRemove`, each gets a button that removes it.
function renderFiles(list, files, onRemove) {
  list.hidden = !files.length;
  list.replaceChildren(...files.map(file => createFileItem(file, onRemove)));
}

function createFileItem(file, onRemove) {
  const item = document.createElement('li');
  item.className = 'file';
  const name = document.createElement('span');
  name.className = 'file-name';
  name.textContent = file.name;
  name.title = file.name;
  const size = document.createElement('span');
  size.className = 'file-size';
  size.textContent = fileStore.isLost(file.id) ? 'no longer kept' : formatSize(file.size);
  if (file.thumbnail) {
    const image = document.createElement('img');
    Object.assign(image, { src: file.thumbnail, alt: '' }); // its name is beside it
    item.append(image);
  }
  item.append(name, ' ', size);
  if (onRemove) {
    const button = document.createElement('button');
    Object.assign(button, { type: 'button', className: 'secondary remove', textContent: '×' });
    button.ariaLabel = `Remove ${file.name}`;
    button.addEventListener('click', () => onRemove(file));
    item.append(button);
  }
  return item;
}

// Returns what the server needs of files; those that are lost are left out.
function packFiles(files = []) {
  const packed = files.map(({ id, name }) => ({ name, data: fileStore.get(id) }));
  return packed.filter(({ data }) => data !== undefined);
}

// The files that the next question will have.
const composerFiles = {
  files: [],

  set(files) {
    this.files = files;
    renderFiles($('files'), files, file => this.remove(file));
    checkRequest();
  },

  async add(blobs) {
    const errors = [];
    $('question').focus();
    for (const blob of blobs) {
      try {
        const file = await readFile(blob, MAX_FILES_SIZE - this.totalSize());
        this.set([...this.files, file]);
      } catch (error) {
        errors.push(error.message);
      }
    }
    $('file-error').textContent = errors.join(' ');
    $('file-error').hidden = !errors.length;
    const count = blobs.length - errors.length;
    if (count) announce(count === 1 ? 'File attached.' : `${count} files attached.`);
  },

  remove(file) {
    const index = this.files.indexOf(file);
    this.set(this.files.filter(other => other !== file));
    const buttons = $('files').querySelectorAll('.remove');
    (buttons[Math.min(index, buttons.length - 1)] ?? $('question')).focus();
    announce(`${file.name} removed.`);
  },

  // In bytes, of the whole conversation: each question is sent with all earlier ones.
  totalSize() {
    return [...conversationFiles(), ...this.files].reduce((sum, file) => sum + file.size, 0);
  },
};

// Those that are sent again with each question.
function conversationFiles() {
  return turns.flatMap(({ data }) => (isSentBack(data) ? data.files : []));
}

function findLostFile() {
  const lost = composerFiles.files.find(({ id }) => fileStore.isLost(id));
  const message = lost && `${lost.name} did not survive the reload. Remove it, and attach it again.`;
  return lost ? { field: 'files', message } : null;
}

// Finds a file that the model does not take, among those of the question and of earlier ones.
function findUnwantedFile() {
  const model = selectedModel();
  if (!model) return null;
  const isUnwanted = ({ kind }) => kind !== 'text' && !model.files.includes(kind);
  const unwanted = composerFiles.files.find(isUnwanted);
  if (unwanted) {
    const message = `${model.id} takes no ${KIND_NAMES[unwanted.kind]}. Remove ${unwanted.name}, or choose another model.`;
    return { field: 'files', message };
  }
  const earlier = conversationFiles().find(isUnwanted);
  if (!earlier) return null;
  const message = `${model.id} takes no ${KIND_NAMES[earlier.kind]}, and this conversation has ${earlier.name}. Choose another model, or begin a new chat.`;
  return { field: 'files', message };
}
