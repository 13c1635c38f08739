export default {
  rewrites: () => [{ source: '/chat/:path*', destination: 'http://127.0.0.1:8000/chat/:path*' }],
};
