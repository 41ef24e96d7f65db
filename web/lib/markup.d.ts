// <progress-steps> in the markup of React (18 and 19), Vue and Svelte. Declarations only. The types of a framework are
// missing where it is not installed, which is no error.

import type { ProgressSteps, ProgressStepsEventMap } from "./progress-steps.js";

interface ElementAttributes {
  session?: string | undefined;
  /** Ids, separated by blanks. */
  sessions?: string | undefined;
  "base-url"?: string | undefined;
  interval?: number | string | undefined;
  transport?: ProgressSteps["transport"] | undefined;
  label?: string | undefined;
  timeline?: boolean | "" | undefined;
  compact?: boolean | "" | undefined;
  /** As for a tracker. It is a property, which React sets from version 19 on. */
  token?: ProgressSteps["token"] | undefined;
}

/** React sets listeners from version 19 on, and takes `onretry` for one. */
type ReactListeners = {
  [Name in keyof ProgressStepsEventMap as `on${Name}`]?: (event: ProgressStepsEventMap[Name]) => void;
};

type VueListeners = {
  [Name in keyof ProgressStepsEventMap as Name extends `progress-${infer Rest}`
    ? `onProgress${Capitalize<Rest>}`
    : never]?: (event: ProgressStepsEventMap[Name]) => void;
};

/** `onprogress-update` for Svelte 5, `on:progress-update` for Svelte 4. */
type SvelteListeners = {
  [Name in keyof ProgressStepsEventMap as `on${Name}` | `on:${Name}`]?: (event: ProgressStepsEventMap[Name]) => void;
};

type Retry = { onretry?: ProgressSteps["onretry"] | undefined };

// @ts-ignore
type ReactProps = import("react").DetailedHTMLProps<import("react").HTMLAttributes<ProgressSteps>, ProgressSteps>;
// @ts-ignore
type VueProps = import("vue").HTMLAttributes & import("vue").ReservedProps;
// @ts-ignore
type SvelteProps = import("svelte/elements").HTMLAttributes<ProgressSteps>;

// @ts-ignore
declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "progress-steps": ReactProps & ElementAttributes & ReactListeners;
    }
  }
}

// @ts-ignore
declare module "vue" {
  interface GlobalComponents {
    "progress-steps": new () => ProgressSteps & { $props: VueProps & ElementAttributes & VueListeners & Retry };
  }
}

declare global {
  namespace svelteHTML {
    interface IntrinsicElements {
      "progress-steps": SvelteProps & ElementAttributes & SvelteListeners & Retry;
    }
  }
}
