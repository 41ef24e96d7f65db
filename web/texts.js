/* What the page says, in each of its languages: one flat table. `{…}` is filled in by the page. */

export const TEXTS = {
  en: {
    session: "Session",
    progress: "Progress of the job",
    progress_of: "Progress of {name}",
    connecting: "Connecting",
    denied: "You are not allowed to see this job",
    token_needed: "You need a token to see this. Paste it here:",
    token_refused: "This token does not let you see this, or it has expired.",
    token_not_sent: "The server did not answer. Try again.",
    token_insecure: "The token was not sent: without HTTPS others could read it.",
    enter: "Show",
    not_found: "Waiting for the job to start",
    pending: "About to start",
    running: "Step {step} of {total}: {name}",
    completed: "Completed",
    error: "Failed at step {step}",
    soon: "This page moves by itself as soon as a worker reports.",
    counted_one: "{done} of {total} step done",
    counted_other: "{done} of {total} steps done",
    jobs_one: "{count} job",
    jobs_other: "{count} jobs",
    time_left: "{time} left",
    about: "about {duration}",
    moments: "a few seconds",
    longer: "taking longer than usual",
    took: "in {duration}",
    silence: "no update for {duration}",
    retried: "Step {step} is being tried again, so the bar went back",
    over_limit: "over its limit of {limit}",
    retry: "Retry",
    timeline: "Timeline",
    column_step: "Step",
    column_state: "State",
    column_started: "Started",
    column_took: "Took",
    recent: "Recent",
    notify: "Notify me when it ends",
    notify_on: "You will be notified",
    notify_denied: "Notifications are blocked in this browser",
    step_pending: "waiting",
    step_running: "running",
    step_success: "done",
    step_error: "failed",
    elapsed: "({seconds}s)",
    failure: "Step {step}, {name}, failed",
    milestone: "{percentage} percent",
    said_of: "{name}: {text}",
    connection_connecting: "connecting",
    connection_live: "live",
    connection_reconnecting: "reconnecting",
    connection_polling: "updating every {seconds} s",
    connection_offline: "offline",
    connection_finished: "finished",
    connection_denied: "no access",
    connection_stopped: "stopped",
    drive: "Move this bar from your terminal",
    token: "Workers need a token here: set PROGRESS_SSE_TOKEN first.",
    start: "Start step {step}",
    complete: "Complete step {step}",
    copy: "Copy",
    copied: "Copied",
    copy_failed: "Select it and press Ctrl+C",
  },
  ja: {
    session: "セッション",
    progress: "ジョブの進捗",
    progress_of: "{name} の進捗",
    connecting: "接続しています",
    denied: "このジョブを表示する権限がありません",
    token_needed: "表示するにはトークンが必要です。ここに貼り付けてください。",
    token_refused: "このトークンでは表示できないか、有効期限が切れています。",
    token_not_sent: "サーバーから応答がありません。もう一度お試しください。",
    token_insecure: "トークンは送信されませんでした。HTTPS でないと他人に読まれるおそれがあります。",
    enter: "表示",
    not_found: "ジョブの開始を待っています",
    pending: "まもなく開始します",
    running: "ステップ {step} / {total}「{name}」",
    completed: "完了しました",
    error: "ステップ {step} で失敗しました",
    soon: "ワーカーから報告があると、このページは自動で動きます。",
    counted_one: "{total} ステップ中 {done} 完了",
    counted_other: "{total} ステップ中 {done} 完了",
    jobs_one: "{count} 件のジョブ",
    jobs_other: "{count} 件のジョブ",
    time_left: "残り{time}",
    about: "約 {duration}",
    moments: "数秒",
    longer: "通常より時間がかかっています",
    took: "所要時間 {duration}",
    silence: "{duration}間、更新がありません",
    retried: "ステップ {step} を再試行しているため、バーが戻りました",
    over_limit: "制限時間 {limit} を超過",
    retry: "再試行",
    timeline: "タイムライン",
    column_step: "ステップ",
    column_state: "状態",
    column_started: "開始",
    column_took: "所要時間",
    recent: "最近のセッション",
    notify: "終わったら通知する",
    notify_on: "終わったら通知します",
    notify_denied: "このブラウザーでは通知が許可されていません",
    step_pending: "待機中",
    step_running: "実行中",
    step_success: "完了",
    step_error: "失敗",
    elapsed: "({seconds}s)",
    failure: "ステップ {step}「{name}」が失敗しました",
    milestone: "{percentage} パーセント",
    said_of: "{name}、{text}",
    connection_connecting: "接続中",
    connection_live: "ライブ",
    connection_reconnecting: "再接続中",
    connection_polling: "{seconds} 秒ごとに更新",
    connection_offline: "オフライン",
    connection_finished: "終了",
    connection_denied: "権限なし",
    connection_stopped: "停止",
    drive: "ターミナルからこのバーを動かす",
    token: "送信にはトークンが必要です。先に PROGRESS_SSE_TOKEN を設定してください。",
    start: "ステップ {step} を開始",
    complete: "ステップ {step} を完了",
    copy: "コピー",
    copied: "コピーしました",
    copy_failed: "選択して Ctrl+C でコピー",
  },
};

/** @typedef {keyof typeof TEXTS.en} TextKey */

/**
 * The language for a visitor, from what their browser prefers.
 * @param {readonly string[]} preferred BCP 47 tags, best first.
 * @returns {keyof typeof TEXTS}
 */
export function languageFor(preferred) {
  const known = preferred.map((tag) => tag.split("-")[0]).find((language) => language === "ja" || language === "en");
  return known === "ja" ? "ja" : "en";
}

/**
 * A text cut at its placeholders: `["Step ", {name: "step"}, …]`, so that each value can become a node of its own.
 * @param {string} text
 * @returns {(string | {name: string})[]}
 */
export function partsOf(text) {
  return text
    .split(/(\{\w+\})/)
    .filter(Boolean)
    .map((part) => (/^\{\w+\}$/.test(part) ? { name: part.slice(1, -1) } : part));
}
