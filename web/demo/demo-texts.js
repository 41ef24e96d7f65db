/* The texts of the demo's page besides those of texts.js, in the same form. */

export const DEMO_TEXTS = {
  en: {
    title: "Live progress",
    lead: "Four jobs report to this server, by HTTP as any worker does, and it streams what they say to this page.",
    agent: "An agent finds its steps as it goes",
    export: "An export that you can cancel",
    film: "Four workers share one step",
    load: "A load that knows how long it takes",
    break_it: "Break it",
    break_hint: "Watch the badges and the bars below.",
    cut: "Cut my stream",
    cut_watch:
      "All streams break off in the middle. For some seconds the badges say “reconnecting”; then the bars catch up, with nothing missed.",
    buffer: "Buffer like a bad proxy",
    buffer_watch:
      "For 20 seconds no stream gets through. The bars go on by polling, and say so, until they are live again. Click again to mend it sooner.",
    restart: "Restart the server",
    restart_watch:
      "It goes away, and is back some seconds later. The jobs wait for it and the pages find it again: nothing is lost.",
    yours_title: "Your turn",
    yours: "Your job",
    all_jobs: "All jobs of this server",
  },
  ja: {
    title: "ライブ進捗",
    lead: "4 つのジョブが普通のワーカーと同じように HTTP でこのサーバーに報告し、その内容がこのページに配信されています。",
    agent: "進みながらステップを見つけるエージェント",
    export: "キャンセルできるエクスポート",
    film: "4 つのワーカーが分担するステップ",
    load: "所要時間を学んだ取り込み",
    break_it: "壊してみる",
    break_hint: "下の接続の表示とバーに注目してください。",
    cut: "ストリームを切断",
    cut_watch:
      "すべてのストリームが途中で切れます。数秒間「再接続中」と表示されたあと、バーは何も失わずに追いつきます。",
    buffer: "バッファするプロキシを再現",
    buffer_watch:
      "20 秒間、ストリームが届かなくなります。バーはポーリングで動き続け、その旨を表示し、やがてライブに戻ります。もう一度押すと早く直ります。",
    restart: "サーバーを再起動",
    restart_watch: "サーバーが止まり、数秒後に戻ります。ジョブは待ち、ページは自分でつなぎ直します。何も失われません。",
    yours_title: "あなたの番です",
    yours: "あなたのジョブ",
    all_jobs: "このサーバーのすべてのジョブ",
  },
};
