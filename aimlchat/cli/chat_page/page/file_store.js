'use strict';
// The data of attached files, as base64. It is too large for the storage that keeps a conversation,
// so it is kept in a database of the browser, and conversations refer to it by the ids of the files.

const FILE_LIFETIME = 7 * 24 * 3600 * 1000; // in ms; no tab ends without having to be closed

const fileStore = {
  data: new Map(), // by the ids of files
  ready: Promise.resolve(),
  isReady: false,

  // Whether a file did not survive the reload.
  isLost(id) {
    return this.isReady && !this.data.has(id);
  },

  get(id) {
    return this.data.get(id);
  },

  // Where the browser denies the database, the file lasts until the page is left.
  put(id, base64) {
    this.data.set(id, base64);
    this.run('readwrite', store => store.put({ base64, savedAt: Date.now() }, id));
  },

  // Loads files that an earlier load of the page has put, and removes the old ones.
  restore(ids) {
    this.ready = this.load(ids).then(() => { this.isReady = true; });
    return this.ready;
  },

  async load(ids) {
    await this.run('readwrite', store => {
      for (const id of ids) {
        const request = store.get(id);
        request.onsuccess = () => {
          if (!request.result) return;
          this.data.set(id, request.result.base64);
          store.put({ ...request.result, savedAt: Date.now() }, id);
        };
      }
      const old = IDBKeyRange.upperBound(Date.now() - FILE_LIFETIME);
      store.index('savedAt').openKeyCursor(old).onsuccess = ({ target: { result: cursor } }) => {
        if (!cursor) return;
        if (!ids.includes(cursor.primaryKey)) store.delete(cursor.primaryKey);
        cursor.continue();
      };
    });
  },

  async run(mode, use) {
    try {
      this.database ??= new Promise((resolve, reject) => {
        const request = indexedDB.open('aimlchat', 1);
        request.onupgradeneeded = () => {
          request.result.createObjectStore('files').createIndex('savedAt', 'savedAt');
        };
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      const database = await this.database;
      await new Promise((resolve, reject) => {
        const transaction = database.transaction('files', mode);
        transaction.oncomplete = resolve;
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
        use(transaction.objectStore('files'));
      });
    } catch (error) {
      console.warn('Files do not survive a reload.', error);
    }
  },
};
