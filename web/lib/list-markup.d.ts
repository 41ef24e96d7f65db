// <progress-list> in the markup of React (18 and 19), Vue and Svelte, as markup.d.ts has <progress-steps>. Declarations
// only.

import type { ProgressList, ProgressListEventMap } from "./progress-list.js";

interface ListAttributes {
  prefix?: string | undefined;
  label?: string | undefined;
  status?: ProgressList["status"] | undefined;
  "base-url"?: string | undefined;
  interval?: number | string | undefined;
  transport?: ProgressList["transport"] | undefined;
  /** As for a tracker. It is a property, which React sets from version 19 on. */
  token?: ProgressList["token"] | undefined;
}

/** React sets listeners from version 19 on. */
type ReactListeners = {
  [Name in keyof ProgressListEventMap as `on${Name}`]?: (event: ProgressListEventMap[Name]) => void;
};

type VueListeners = {
  onProgressList?: (event: ProgressListEventMap["progress-list"]) => void;
  onProgressListstatechange?: (event: ProgressListEventMap["progress-liststatechange"]) => void;
};

/** `onprogress-list` for Svelte 5, `on:progress-list` for Svelte 4. */
type SvelteListeners = {
  [Name in keyof ProgressListEventMap as `on${Name}` | `on:${Name}`]?: (event: ProgressListEventMap[Name]) => void;
};

// @ts-ignore
type ReactProps = import("react").DetailedHTMLProps<import("react").HTMLAttributes<ProgressList>, ProgressList>;
// @ts-ignore
type VueProps = import("vue").HTMLAttributes & import("vue").ReservedProps;
// @ts-ignore
type SvelteProps = import("svelte/elements").HTMLAttributes<ProgressList>;

// @ts-ignore
declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "progress-list": ReactProps & ListAttributes & ReactListeners;
    }
  }
}

// @ts-ignore
declare module "vue" {
  interface GlobalComponents {
    "progress-list": new () => ProgressList & { $props: VueProps & ListAttributes & VueListeners };
  }
}

declare global {
  namespace svelteHTML {
    interface IntrinsicElements {
      "progress-list": SvelteProps & ListAttributes & SvelteListeners;
    }
  }
}
