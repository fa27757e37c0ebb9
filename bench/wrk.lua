-- What wrk measured, as one line of JSON.
done = function(summary, latency, requests)
  io.write(string.format(
    'RESULT {"seconds":%f,"requests":%d,"bytes":%d,"p50Ms":%f,"p99Ms":%f,"maxMs":%f,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.duration / 1e6, summary.requests, summary.bytes,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.status, summary.errors.timeout
  ))
end
