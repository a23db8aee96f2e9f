# loongscope and a gdb that knows LoongArch, from Debian's packages and the npm registry alone.
#   docker build -t loongscope .
#   docker run --rm -it loongscope run --guest hello
#   docker run --rm -it -v "$PWD:/work" loongscope test my-hypervisor.elf
FROM debian:13 AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates clang-19 lld-19
COPY . /src
WORKDIR /src
RUN ./scripts/pack && mkdir -p /opt/loongscope && tar -xzf build/loongscope-*.tgz -C /opt/loongscope --strip-components=1 \
  && cp -L .tools/bin/node /opt/loongscope/node

FROM debian:13
RUN apt-get update && apt-get install -y --no-install-recommends gdb-multiarch && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/loongscope /opt/loongscope
RUN printf '#!/bin/sh\nexec /opt/loongscope/node /opt/loongscope/build/cli/main.js "$@"\n' > /usr/local/bin/loongscope \
  && chmod +x /usr/local/bin/loongscope && useradd --create-home user && install -d -o user /work
USER user
WORKDIR /work
ENTRYPOINT ["loongscope"]
