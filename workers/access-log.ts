export class AccessLog { constructor(_p: unknown, _s: unknown) {} record(_x: unknown, _n: number): void {} flush(): void {} }
