# The functions of README.md, for bash: they start both servers, and give each command to both.

serve() {
  uvicorn --app-dir "$examples" sixty_lines:app --port 8060 "$@" >there.log 2>&1 & there=$!
  progress-sse serve --port 8000 --heartbeat-s 1 "$@" >here.log 2>&1 & here=$!
  curl -s --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:{8060,8000}/openapi.json >start.log
}
both() {
  url=http://127.0.0.1:8060/api/progress/job pid=$there; echo; echo there:; "$@"
  url=http://127.0.0.1:8000/api/progress/job pid=$here; echo; echo here:; "$@"
}
get() { curl -sN -w '\n' "$@"; }
state() { get "$url"; }
put() { get -X PUT --json '{"steps":["Read","Sort","Write"]}' "$url?replace=true"; }
post() { get --json "$@" "$url/update"; }
first() { sed '/^data/q' <(get "$url/events"); }
tabs() { for port in "$@"; do python -m webbrowser -t http://127.0.0.1:$port/s/job; done; }
sleeps() {
  put; id=$(first | sed -n 's/^id: //p')
  for step in 1 2 3; do
    for action in start complete; do post "{\"action\":\"$action\",\"step\":$step}"; done
  done
  get -H "Last-Event-ID: $id" "$url/events"
}
slow() {
  printf '{"action":"start","step":1,"message":"%08000d"}' 0 >large.json
  put; curl -sN --limit-rate 1 "$url/events" >reader.log & reader=$!
  ps -o rss= $pid
  get --json @large.json "$url/update?[1-3000]" >slow.log
  ps -o rss= $pid; kill $reader
}
