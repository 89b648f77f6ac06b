// The storage worker in a browser that lacks something: `?how` says what. See fault.mjs.
import "./fault.mjs";
import "./disk.js";
