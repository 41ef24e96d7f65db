export default {
  server: { proxy: { "^/(api|livez)": process.env.PROGRESS_URL ?? "" } },
  // Vue's own plugin would set them.
  define: {
    __VUE_OPTIONS_API__: true,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
  },
};
