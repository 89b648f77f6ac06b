const how = location.search.slice(1);
const fail = (name) => () => { throw new DOMException("made to fail", name); };
const later = (name) => async () => { throw new DOMException("made to fail", name); };
if (how === "nosync") delete FileSystemFileHandle.prototype.createSyncAccessHandle;
if (how === "noopfs") StorageManager.prototype.getDirectory = later("SecurityError");
if (how === "nothing") Object.defineProperty(navigator, "storage", { get: fail("SecurityError") });
if (how === "nolocks") Object.defineProperty(navigator, "locks", { value: undefined });
if (how === "full") FileSystemSyncAccessHandle.prototype.write = fail("QuotaExceededError");
if (how === "broken") FileSystemSyncAccessHandle.prototype.flush = fail("InvalidStateError");
if (how === "short") {
  const write = FileSystemSyncAccessHandle.prototype.write;
  FileSystemSyncAccessHandle.prototype.write = function (bytes, options) { return write.call(this, bytes.subarray(0, bytes.length >> 1), options); };
}
