/* A user's page: the element, and a component of React and one of Vue that follow the same session. */
import "progress-sse/progress-steps";
import { ProgressTracker } from "progress-sse";
import { useProgress as useProgressInReact } from "progress-sse/react";
import { useProgress as useProgressInVue } from "progress-sse/vue";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { createApp, h } from "vue";

const query = new URLSearchParams(location.search);
const session = query.get("session");
ProgressTracker.baseUrl = query.get("server") ?? "";

document.querySelector("progress-steps").session = session;

function ReactJob() {
  const { data, state } = useProgressInReact(session);
  return createElement("output", { id: "react" }, `${state} ${data?.percentage}`);
}

const VueJob = {
  setup() {
    const { data, state } = useProgressInVue(session);
    return () => h("output", { id: "vue" }, `${state.value} ${data.value?.percentage}`);
  },
};

createRoot(document.querySelector("#react-root")).render(createElement(ReactJob));
createApp(VueJob).mount("#vue-root");
