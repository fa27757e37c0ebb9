// Node that does nothing: what the memory of a master is held against.
setInterval(() => {}, 1e6);
