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
